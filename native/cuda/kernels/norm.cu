#include "cuda/kernels/norm.cuh"

#include "cuda/launch.cuh"

namespace exl::cuda {

std::string norm_refuses(const NormParams& p) {
  if (p.columns < 1) return "rows of " + std::to_string(p.columns) + " columns";
  if (p.weight_rows < 1 || p.rows % p.weight_rows)
    return std::to_string(p.rows) + " rows cannot share " + std::to_string(p.weight_rows) +
           " rows of weights evenly";
  if (p.rows > INT32_MAX) return std::to_string(p.rows) + " rows, more than a grid has blocks";
  return {};
}

namespace {

// Vectors of 8 halves need rows that start on 16 bytes; a short row needs few threads.
template <typename T, bool kCentred>
void start(Stream stream, const NormParams& p) {
  const dim3 grid = unsigned(p.rows);
  if (p.columns % 8)
    launch(norm_kernel<T, 1, 128, kCentred>, grid, 128, 0, stream, p);
  else if (p.columns <= 1024)
    launch(norm_kernel<T, 8, 64, kCentred>, grid, 64, 0, stream, p);
  else
    launch(norm_kernel<T, 8, 256, kCentred>, grid, 256, 0, stream, p);
}

template <typename T>
void start(Stream stream, const NormParams& p) {
  p.centred ? start<T, true>(stream, p) : start<T, false>(stream, p);
}

}  // namespace

void norm(Stream stream, const NormParams& p) {
  if (p.rows == 0) return;
  if (p.type == Type::F32)
    start<float>(stream, p);
  else
    start<half>(stream, p);
}

}  // namespace exl::cuda
