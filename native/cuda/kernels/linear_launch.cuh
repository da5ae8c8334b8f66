// From a linear layer to the kernel that runs it, the same for every format of weights.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "cuda/kernels/linear_few.cuh"
#include "cuda/kernels/linear_many.cuh"
#include "cuda/launch.cuh"

namespace exl::cuda {

// Of weights on their way: enough to hide the latency of an H100's memory, and room for inputs in
// Turing's 64 KB.
inline constexpr int kRingBytes = 40 * 1024;

// Warps that share a strip. The weights alone decide, for that is the order of sums.
template <typename Strips>
int few_warps(const Strips& weights) {
  constexpr int kStages = 4;
  const int slots = kRingBytes / (kStages * weights.slot_bytes());
  int warps = kFewMaxThreads / kWarp;
  while (warps > 1 && (warps > slots || 2 * warps > weights.chunks())) warps /= 2;
  return warps;
}

// Whether the inputs come to shared memory as a whole. A single row does if there is any way: it
// saves a launch, and blocks of one strip are as many as a narrow layer can have.
inline bool takes_whole_inputs(int64_t rows, int in, int block_shared_bytes) {
  constexpr int64_t kMostBytes = 24 * 1024;
  if (rows <= 8 && rows * in * int64_t(sizeof(half)) <= kMostBytes) return true;
  return rows == 1 && whole_inputs_bytes(in, 1) + kRingBytes <= block_shared_bytes;
}

template <typename Inputs, typename Strips>
size_t few_shared_bytes(const Strips& weights, int64_t rows) {
  const size_t warps = size_t(few_warps(weights));
  const size_t slots = warps * Inputs::kStages * Inputs::kStrips;
  const size_t inputs = size_t(Inputs::shared_bytes(weights.in_size(), int(rows)));
  const size_t sums =
      warps * 8 * Inputs::kRowTiles * Inputs::kStrips * kStripOutputs * sizeof(float);
  return std::max(slots * size_t(weights.slot_bytes()) + inputs, sums);
}

template <typename Inputs, typename Strips>
void launch_few(Stream stream, FewLayers<Strips> layers, size_t count) {
  int blocks = 0, warps = 0;
  size_t shared_bytes = 0;
  for (size_t i = 0; i < count; i++) {
    FewLayer<Strips>& layer = layers.at[i];
    const Strips& weights = layer.call.weights;
    layer.warps = few_warps(weights);
    blocks += int(ceil_div(weights.strips(), Inputs::kStrips));
    warps = std::max(warps, layer.warps);
    shared_bytes = std::max(shared_bytes, few_shared_bytes<Inputs>(weights, layer.call.rows.rows));
  }
  launch(linear_few_kernel<Strips, Inputs>, unsigned(blocks), unsigned(warps * kWarp), shared_bytes,
         stream, layers);
}

// Layers of the same rows, kMostLayersAtOnce at most. Those whose inputs are not taken as a whole
// have no permutation.
template <typename Strips>
void run_few(Stream stream, std::span<const LinearCall<Strips>> calls, bool whole_inputs) {
  FewLayers<Strips> layers{};
  for (size_t i = 0; i < calls.size(); i++) layers.at[i].call = calls[i];
  const int64_t rows = calls[0].rows.rows;
  if (whole_inputs)
    launch_few<WholeInputs<Strips>>(stream, layers, calls.size());
  else if (rows <= 8)
    launch_few<DirectInputs<Strips, 1>>(stream, layers, calls.size());
  else
    launch_few<DirectInputs<Strips, 2>>(stream, layers, calls.size());
}

template <int kRowWarps, int kTiles, int kStrips, typename Strips>
size_t many_shared_bytes(const Strips& weights) {
  constexpr int kRows = kRowWarps * kTiles * 16;
  return kManyStages *
         (size_t(many_row_bytes<kRows>()) + size_t(kStrips) * size_t(weights.slot_bytes()));
}

template <typename Strips, int kRowWarps, int kTiles, int kStrips>
void run_tiles(Stream stream, const LinearCall<Strips>& p) {
  constexpr int kRows = kRowWarps * kTiles * 16;
  const dim3 grid(unsigned(ceil_div(p.rows.rows, kRows)),
                  unsigned(ceil_div(p.weights.strips(), kStrips)));
  launch(linear_many_kernel<Strips, kRowWarps, kTiles, kStrips>, grid, kRowWarps * kStrips * kWarp,
         many_shared_bytes<kRowWarps, kTiles, kStrips>(p.weights), stream, p);
}

// Large tiles reuse more; small ones leave fewer processors idle when there are few rows.
template <typename Strips>
void run_many(Stream stream, const LinearCall<Strips>& p) {
  if (p.rows.rows > 128)
    run_tiles<Strips, 2, 4, 4>(stream, p);
  else
    run_tiles<Strips, 2, 2, 2>(stream, p);
}

// The most that a block asks for, of any number of rows up to `rows`.
template <typename Strips>
int64_t linear_shared_bytes(const Strips& weights, int64_t rows, int block_shared_bytes) {
  size_t most = std::max(many_shared_bytes<2, 4, 4>(weights), many_shared_bytes<2, 2, 2>(weights));
  if (rows <= kFewRows) most = 0;
  for (int64_t r = 1; r <= std::min<int64_t>(rows, kFewRows); r++) {
    const bool whole = takes_whole_inputs(r, weights.in_size(), block_shared_bytes);
    most = std::max(most, whole    ? few_shared_bytes<WholeInputs<Strips>>(weights, r)
                          : r <= 8 ? few_shared_bytes<DirectInputs<Strips, 1>>(weights, r)
                                   : few_shared_bytes<DirectInputs<Strips, 2>>(weights, r));
  }
  return int64_t(most);
}

inline std::string linear_rows_refuse(int in, int out, const LinearRows& p) {
  if (in < 8 || in % 8) return std::to_string(in) + " inputs, not a multiple of 8";
  if (out < 1) return "no outputs";
  if (p.type == Type::BF16) return "bfloats as a result";
  return {};
}

}  // namespace exl::cuda
