#include <algorithm>

#include "cuda/kernels/linear_launch.cuh"

namespace exl::cuda {

std::string half_linear_refuses(const HalfLinearParams& p) {
  return linear_rows_refuse(p.in, p.out, p.rows);
}

int64_t half_linear_shared_bytes(const HalfLinearParams& p) {
  return linear_shared_bytes(HalfStrips{p.weight, p.in, p.out}, p.rows.rows, 0);
}

void half_linear(Stream stream, std::span<const HalfLinearParams> layers) {
  if (layers.empty() || layers[0].rows.rows == 0) return;
  std::array<LinearCall<HalfStrips>, kMostLayersAtOnce> calls{};
  for (size_t i = 0; i < layers.size(); i++)
    calls[i] = {{layers[i].weight, layers[i].in, layers[i].out}, nullptr, layers[i].rows};
  if (layers[0].rows.rows <= kFewRows)
    // Inputs are in order already, so a long row saves no launch.
    return run_few<HalfStrips>(stream, {calls.data(), layers.size()},
                               takes_whole_inputs(layers[0].rows.rows, layers[0].in, 0));
  for (size_t i = 0; i < layers.size(); i++) run_many(stream, calls[i]);
}

}  // namespace exl::cuda
