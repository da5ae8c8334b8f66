// Starts a kernel, the only way to do so: launch(kernel, grid, block, shared_bytes, stream,
// params).
//
// A launch that fails leaves its error with the run time, where cudaGetLastError() finds it; a
// caller checks once per step.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda {

// Of the current device.
inline bool can_overlap() {
  int device = 0, major = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         major >= 9;
}

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Params params) {
  // Beyond 48 KB a kernel has to say so first.
  if (shared_bytes > 48 * 1024 &&
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           int(shared_bytes)) != cudaSuccess)
    return;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  // See ptx/overlap.cuh.
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &overlap;
  config.numAttrs = can_overlap() ? 1 : 0;
  void* arguments[] = {&params};
  cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), arguments);
}

}  // namespace exl::cuda
