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

int64_t quant_linear_scratch_bytes(const QuantLinearParams& p) {
  if (!p.weight.permutation || p.rows.rows <= kFewRows) return 0;
  return p.rows.rows * p.weight.in * int64_t(sizeof(half));
}

namespace {

template <bool kZeros>
LinearCall<QuantStrips<kZeros>> call_of(const QuantLinearParams& p) {
  return {{p.weight}, p.weight.permutation, p.rows};
}

template <bool kZeros>
void run_one(Stream stream, const QuantLinearParams& p) {
  LinearCall<QuantStrips<kZeros>> call = call_of<kZeros>(p);
  if (p.weight.permutation) {
    const dim3 grid(unsigned(p.rows.rows), unsigned(ceil_div(p.weight.in, 256 * 8)));
    launch(permute_columns_kernel, grid, 256, 0, stream,
           {p.rows.x, p.weight.permutation, p.permuted, p.rows.rows, p.weight.in});
    call.rows.x = p.permuted;
    call.permutation = nullptr;
  }
  run_many(stream, call);
}

template <bool kZeros>
void start(Stream stream, std::span<const QuantLinearParams> layers) {
  run_layers<QuantStrips<kZeros>>(stream, layers, call_of<kZeros>,
                                  [&](const QuantLinearParams& p) { run_one<kZeros>(stream, p); });
}

}  // namespace

// Layers of one kind in a row share launches.
void quant_linear(Stream stream, std::span<const QuantLinearParams> layers) {
  while (!layers.empty()) {
    const bool zeros = layers[0].weight.zeros;
    size_t alike = 1;
    while (alike < layers.size() && bool(layers[alike].weight.zeros) == zeros) alike++;
    const auto first = layers.first(alike);
    zeros ? start<true>(stream, first) : start<false>(stream, first);
    layers = layers.subspan(alike);
  }
}

}  // namespace exl::cuda
