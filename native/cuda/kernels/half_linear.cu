#include <algorithm>

#include "cuda/kernels/linear_launch.cuh"

namespace exl::cuda {

std::string half_linear_refuses(const HalfLinearParams& p) {
  return linear_rows_refuse(p.in, p.out, p.rows);
}

void half_linear(Stream stream, const HalfLinearParams& p) {
  if (p.rows.rows == 0) return;
  const LinearCall<HalfStrips> call{{p.weight, p.in, p.out}, nullptr, p.rows, 0};
  p.rows.rows <= kFewRows ? run_few(stream, call) : run_many(stream, call);
}

}  // namespace exl::cuda
