#include <algorithm>

#include "cuda/kernels/linear_launch.cuh"

namespace exl::cuda {

std::string half_linear_refuses(const HalfLinearParams& p) {
  return linear_rows_refuse(p.in, p.out, p.rows);
}

void half_linear(Stream stream, std::span<const HalfLinearParams> layers) {
  const auto call_of = [](const HalfLinearParams& p) -> LinearCall<HalfStrips> {
    return {{p.weight, p.in, p.out}, nullptr, p.rows};
  };
  run_layers<HalfStrips>(stream, layers, call_of,
                         [&](const HalfLinearParams& p) { run_many(stream, call_of(p)); });
}

}  // namespace exl::cuda
