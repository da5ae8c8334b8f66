#include "cuda/kernels/rms_norm.cuh"

#include "cuda/launch.cuh"

namespace exl::cuda {

std::string rms_norm_refuses(const RmsNormParams& p) {
  if (p.columns < 1) return "rows of " + std::to_string(p.columns) + " columns";
  if (p.weight_rows < 1 || p.rows % p.weight_rows)
    return std::to_string(p.rows) + " rows cannot share " + std::to_string(p.weight_rows) +
           " rows of weights evenly";
  if (p.rows > INT32_MAX) return std::to_string(p.rows) + " rows, more than a grid has blocks";
  return {};
}

namespace {

// Vectors of 8 halves need rows that start on 16 bytes; a short row needs few threads.
template <typename T>
void start(Stream stream, const RmsNormParams& p) {
  const dim3 grid = unsigned(p.rows);
  if (p.columns % 8)
    launch(rms_norm_kernel<T, 1, 128>, grid, 128, 0, stream, p);
  else if (p.columns <= 1024)
    launch(rms_norm_kernel<T, 8, 64>, grid, 64, 0, stream, p);
  else
    launch(rms_norm_kernel<T, 8, 256>, grid, 256, 0, stream, p);
}

}  // namespace

void rms_norm(Stream stream, const RmsNormParams& p) {
  if (p.rows == 0) return;
  if (p.type == Type::F32)
    start<float>(stream, p);
  else
    start<half>(stream, p);
}

}  // namespace exl::cuda
