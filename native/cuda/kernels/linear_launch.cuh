// From a linear layer to the kernel that runs it, the same for every format of weights.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "cuda/kernels/linear_few.cuh"
#include "cuda/kernels/linear_many.cuh"
#include "cuda/launch.cuh"

namespace exl::cuda {

// What few rows run with. Only the weights decide how many warps share a strip, for that is the
// order of sums; how much of x is in shared memory at once changes nothing.
struct FewConfig {
  int warps, chunks_at_once;
  size_t shared_bytes;
};

template <typename Strips>
FewConfig few_config(const Strips& weights, int rows) {
  // 40 KB of weights on their way hide the latency of an H100's memory, 24 KB hold a whole row of
  // most models, and Turing has no more than 64 KB together.
  constexpr int kRingBytes = 40 * 1024, kInputBytes = 24 * 1024;
  const int slots = kRingBytes / (kFewStages * weights.slot_bytes());
  int warps = kFewMaxThreads / kWarp;
  while (warps > 1 && (warps > slots || 2 * warps > weights.chunks())) warps /= 2;
  const int per_chunk = rows * kChunkInputs * int(sizeof(half)) * warps;
  const int most = int(ceil_div(weights.chunks(), warps));
  const int chunks_at_once = std::clamp(kInputBytes / per_chunk, 1, most);
  const size_t ring = size_t(warps) * kFewStages * size_t(weights.slot_bytes());
  const size_t inputs =
      size_t(rows) * size_t(few_row_stride(chunks_at_once * warps)) * sizeof(half);
  const size_t sums = size_t(warps) * (rows > 8 ? 16 : 8) * kStripOutputs * sizeof(float);
  return {warps, chunks_at_once, std::max(ring + inputs, sums)};
}

// Layers of the same rows, kFewMostLayers at most.
template <typename Strips>
void run_few(Stream stream, std::span<const LinearCall<Strips>> calls) {
  const int64_t rows = calls[0].rows.rows;
  FewLayers<Strips> layers{};
  int strips = 0, warps = 0;
  size_t shared_bytes = 0;
  for (size_t i = 0; i < calls.size(); i++) {
    const FewConfig config = few_config(calls[i].weights, int(rows));
    layers.at[i] = {calls[i], config.warps, config.chunks_at_once};
    strips += calls[i].weights.strips();
    warps = std::max(warps, config.warps);
    shared_bytes = std::max(shared_bytes, config.shared_bytes);
  }
  launch(rows <= 8 ? linear_few_kernel<Strips, 1> : linear_few_kernel<Strips, 2>, unsigned(strips),
         unsigned(warps * kWarp), shared_bytes, stream, layers);
}

template <typename Strips, int kRowWarps, int kTiles, int kStrips>
void run_tiles(Stream stream, const LinearCall<Strips>& p) {
  constexpr int kRows = kRowWarps * kTiles * 16;
  const dim3 grid(unsigned(ceil_div(p.rows.rows, kRows)),
                  unsigned(ceil_div(p.weights.strips(), kStrips)));
  const size_t stage =
      size_t(many_row_bytes<kRows>()) + size_t(kStrips) * size_t(p.weights.slot_bytes());
  launch(linear_many_kernel<Strips, kRowWarps, kTiles, kStrips>, grid, kRowWarps * kStrips * kWarp,
         kManyStages * stage, stream, p);
}

// Large tiles reuse more; small ones leave fewer processors idle when there are few rows.
template <typename Strips>
void run_many(Stream stream, const LinearCall<Strips>& p) {
  if (p.rows.rows > 128)
    run_tiles<Strips, 2, 4, 4>(stream, p);
  else
    run_tiles<Strips, 2, 2, 2>(stream, p);
}

// Each layer as `call_of` gives it, or as many at once as a launch takes.
template <typename Strips, typename Params, typename CallOf, typename Many>
void run_layers(Stream stream, std::span<const Params> layers, const CallOf& call_of,
                const Many& run_one) {
  if (layers.empty() || layers[0].rows.rows == 0) return;
  if (layers[0].rows.rows > kFewRows) {
    for (const Params& layer : layers) run_one(layer);
    return;
  }
  std::array<LinearCall<Strips>, kFewMostLayers> calls;
  size_t count = 0;
  for (const Params& layer : layers) {
    calls[count++] = call_of(layer);
    if (count < kFewMostLayers && &layer != &layers.back()) continue;
    run_few<Strips>(stream, {calls.data(), count});
    count = 0;
  }
}

inline std::string linear_rows_refuse(int in, int out, const LinearRows& p) {
  if (in < 8 || in % 8) return std::to_string(in) + " inputs, not a multiple of 8";
  if (out < 1) return "no outputs";
  if (p.type == Type::BF16) return "bfloats as a result";
  return {};
}

}  // namespace exl::cuda
