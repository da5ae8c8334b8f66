#include "cuda/kernels/repack.cuh"

#include "cuda/launch.cuh"

namespace exl::cuda {

void repack_codes(Stream stream, const RepackCodesParams& p) {
  const dim3 grid(unsigned(ceil_div(ceil_div(p.in, kChunkInputs), kRepackWarps)),
                  unsigned(ceil_div(p.out, kStripOutputs)));
  launch(repack_codes_kernel, grid, kRepackWarps * kWarp, 0, stream, p);
}

void repack_scales(Stream stream, const RepackScalesParams& p) {
  const dim3 grid(unsigned(p.groups), unsigned(ceil_div(p.out, kStripOutputs)));
  launch(repack_scales_kernel, grid, kStripOutputs, 0, stream, p);
}

}  // namespace exl::cuda
