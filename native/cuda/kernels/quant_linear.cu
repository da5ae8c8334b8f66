#include <algorithm>

#include "cuda/kernels/linear_launch.cuh"
#include "cuda/kernels/permute_columns.cuh"

namespace exl::cuda {

std::string quant_linear_refuses(const QuantLinearParams& p) {
  if (p.weight.in > 65536) return std::to_string(p.weight.in) + " inputs, more than 65536";
  if (p.weight.zeros && p.weight.max_bits != 4)
    return "zero points with codes of " + std::to_string(p.weight.max_bits) + " bits, not 4";
  return linear_rows_refuse(p.weight.in, p.weight.out, p.rows);
}

namespace {

bool whole_inputs(const QuantLinearParams& p) {
  return takes_whole_inputs(p.rows.rows, p.weight.in, p.weight.block_shared_bytes);
}

}  // namespace

int64_t quant_linear_scratch_bytes(const QuantLinearParams& p) {
  if (!p.weight.permutation || whole_inputs(p)) return 0;
  return p.rows.rows * p.weight.in * int64_t(sizeof(half));
}

int64_t quant_linear_shared_bytes(const QuantLinearParams& p) {
  const int limit = p.weight.block_shared_bytes;
  return p.weight.zeros ? linear_shared_bytes(QuantStrips<true>{p.weight}, p.rows.rows, limit)
                        : linear_shared_bytes(QuantStrips<false>{p.weight}, p.rows.rows, limit);
}

namespace {

using Layers = std::span<const QuantLinearParams>;

// Puts the inputs in the order of each layer that has one, in one launch.
void permute(Stream stream, Layers layers) {
  const int in = layers[0].weight.in;
  PermuteColumns params{layers[0].rows.x, in, {}};
  unsigned count = 0;
  for (const QuantLinearParams& layer : layers)
    if (layer.weight.permutation)
      params.layers[count++] = {layer.weight.permutation, layer.permuted};
  if (count == 0) return;
  const dim3 grid(unsigned(layers[0].rows.rows), unsigned(ceil_div(in, 256 * 8)), count);
  launch(permute_columns_kernel, grid, 256, 0, stream, params);
}

template <bool kZeros>
LinearCall<QuantStrips<kZeros>> call_of(const QuantLinearParams& p) {
  LinearCall<QuantStrips<kZeros>> call{{p.weight}, p.weight.permutation, p.rows};
  if (!p.weight.permutation || whole_inputs(p)) return call;
  call.rows.x = p.permuted;
  call.permutation = nullptr;
  return call;
}

template <bool kZeros>
void start(Stream stream, Layers layers) {
  const int64_t rows = layers[0].rows.rows;
  if (rows > kFewRows) {
    for (const QuantLinearParams& layer : layers) {
      permute(stream, {&layer, 1});
      run_many(stream, call_of<kZeros>(layer));
    }
    return;
  }
  const bool whole = whole_inputs(layers[0]);
  if (!whole) permute(stream, layers);
  std::array<LinearCall<QuantStrips<kZeros>>, kMostLayersAtOnce> calls{};
  for (size_t i = 0; i < layers.size(); i++) calls[i] = call_of<kZeros>(layers[i]);
  run_few<QuantStrips<kZeros>>(stream, {calls.data(), layers.size()}, whole);
}

}  // namespace

// Layers of one kind in a row share launches.
void quant_linear(Stream stream, Layers layers) {
  while (!layers.empty() && layers[0].rows.rows > 0) {
    const bool zeros = layers[0].weight.zeros;
    size_t alike = 1;
    while (alike < layers.size() && bool(layers[alike].weight.zeros) == zeros) alike++;
    const Layers first = layers.first(alike);
    zeros ? start<true>(stream, first) : start<false>(stream, first);
    layers = layers.subspan(alike);
  }
}

}  // namespace exl::cuda
