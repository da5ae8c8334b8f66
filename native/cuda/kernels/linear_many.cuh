// A linear layer of many rows: tiles of rows times strips, weights turned into halves in registers.
//
//   x         [rows, in]   half, in a multiple of 8, already permuted
//   weights   strips of 32 outputs in chunks of 32 inputs
//   y         [rows, out]  half or float
//
//   Grid      (tiles of rows, tiles of kStrips strips); a warp has one strip and kTiles x 16 rows
//   Shared    kManyStages stages: a chunk of the rows' inputs, and one of each strip
//   Numerics  fp32 sums over the chunks in ascending order, whatever the tile: a row gives the same
//             bits whatever the number of rows
//   Bound     arithmetic: tensor cores
//   Needs     mma, asynchronous copies
//
// Both sides of a product take 8 neighbouring inputs of 32 per lane, so a row's chunk is read from
// shared memory by 16-byte loads, eight lanes in 128 bytes in a row: no bank is met twice.
#pragma once

#include "cuda/kernels/linear.cuh"

namespace exl::cuda {

inline constexpr int kManyStages = 4;

template <int kRows>
__host__ __device__ constexpr int many_row_bytes() {
  return kRows * kChunkInputs * int(sizeof(half));
}

template <typename Strips, int kRowWarps, int kTiles, int kStrips>
__global__ void __launch_bounds__(kRowWarps * kStrips * kWarp)
    linear_many_kernel(const LinearCall<Strips> p) {
  ptx::begin();
  constexpr int kThreads = kRowWarps * kStrips * kWarp, kRows = kRowWarps * kTiles * 16;
  const int warp = threadIdx.x / kWarp, g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
  const int row_warp = warp % kRowWarps, strip_warp = warp / kRowWarps;
  const int64_t first_row = int64_t(blockIdx.x) * kRows;
  const int first_strip = int(blockIdx.y) * kStrips;
  const int chunks = p.weights.chunks(), in = p.weights.in_size();
  const int slot_bytes = p.weights.slot_bytes();
  const int stage_bytes = many_row_bytes<kRows>() + kStrips * slot_bytes;
  auto* shared = ptx::dynamic_shared<unsigned char>();

  const auto fetch = [&](int chunk, int stage) {
    if (chunk < chunks) {
      unsigned char* to = shared + stage * stage_bytes;
#pragma unroll
      for (int i = threadIdx.x; i < kRows * 4; i += kThreads) {
        const int64_t row = first_row + i / 4;
        const int column = chunk * kChunkInputs + i % 4 * 8;
        const bool exists = row < p.rows.rows && column < in;
        ptx::cp_async_16(to + 16 * i, p.rows.x + (exists ? row * in + column : 0), exists);
      }
      // The warps that share a strip fetch it.
      p.weights.template fetch<kRowWarps * kWarp>(
          to + many_row_bytes<kRows>() + strip_warp * slot_bytes, first_strip + strip_warp, chunk,
          row_warp * kWarp + threadIdx.x % kWarp);
    }
    ptx::cp_async_commit();
  };
  for (int stage = 0; stage < kManyStages - 1; stage++) fetch(stage, stage);

  float sums[kTiles][4][4] = {};
  for (int chunk = 0, stage = 0; chunk < chunks; chunk++, stage = (stage + 1) % kManyStages) {
    ptx::cp_async_wait<kManyStages - 2>();
    __syncthreads();  // this stage has arrived, and everyone has read the one before
    fetch(chunk + kManyStages - 1, (stage + kManyStages - 1) % kManyStages);
    const unsigned char* from = shared + stage * stage_bytes;
    WeightFragment b;
    p.weights.fragment(from + many_row_bytes<kRows>() + strip_warp * slot_bytes, chunk, b);
    const auto* x = reinterpret_cast<const uint32_t*>(from);
#pragma unroll
    for (int tile = 0; tile < kTiles; tile++) {
      const int row = (row_warp * kTiles + tile) * 16 + g;
      const auto low = load<4>(x + row * (kChunkInputs / 2) + 4 * t);
      const auto high = load<4>(x + (row + 8) * (kChunkInputs / 2) + 4 * t);
#pragma unroll
      for (int s = 0; s < 2; s++)
#pragma unroll
        for (int f = 0; f < 4; f++)
          ptx::mma_16x8x16(sums[tile][f],
                           {low.at[2 * s], high.at[2 * s], low.at[2 * s + 1], high.at[2 * s + 1]},
                           {b[s][f][0], b[s][f][1]});
    }
  }

#pragma unroll
  for (int tile = 0; tile < kTiles; tile++)
#pragma unroll
    for (int f = 0; f < 4; f++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int64_t row = first_row + (row_warp * kTiles + tile) * 16 + g + 8 * (i / 2);
        const int column = (first_strip + strip_warp) * kStripOutputs + 8 * f + 2 * t + i % 2;
        if (row < p.rows.rows && column < p.weights.out_size())
          finish(p.rows, p.weights.out_size(), row, column, sums[tile][f][i]);
      }
}

}  // namespace exl::cuda
