// Attention of many tokens of a sequence at once: the heads of several neighbouring rows that share
// a key head are query rows of one block, which reads each key and value once for all of them.
//
//   q, y      [rows, heads, dim]  half, dim <= kDim and a multiple of 8
//   cache     pages of 256 tokens
//
//   Grid      (tiles of rows, key heads x tiles of heads); kWarps warps of 16 query rows each
//   Shared    two stages of kTokens keys and values, or one of them and one of their codes
//   Numerics  fp32 scores and sums, weights rounded to half for the product with the values; tiles
//             start at multiples of kTokens whatever the batch, so a row does not depend on it
//   Bound     arithmetic: tensor cores
//   Needs     mma, ldmatrix, asynchronous copies
#pragma once

#include "cuda/kernels/attention.cuh"

namespace exl::cuda {

template <int kDim, int kTokens, int kWarps, bool kQuantised>
__global__ void __launch_bounds__(kWarps* kWarp, 2)
    attention_prefill_kernel(const AttentionParams p) {
  ptx::begin();
  constexpr int kThreads = kWarps * kWarp, kTile = kTokens * kDim;

  const int group = p.heads / p.cache.key_heads;
  const int heads_here = min(group, 16 * kWarps);
  const int rows_here = 16 * kWarps / heads_here;
  const int head_tiles = (group + heads_here - 1) / heads_here;
  const int key_head = int(blockIdx.y) / head_tiles;
  const int first_head = int(blockIdx.y) % head_tiles * heads_here;
  // The last rows see the most: start with them.
  const int first_row = int(gridDim.x - 1 - blockIdx.x) * rows_here;
  const int end_row = int(min(int64_t(first_row) + rows_here, p.rows));

  const int warp = threadIdx.x / kWarp, g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
  // Query row m of this block is head m % heads_here of row m / heads_here.
  const auto head_of = [&](int i) {
    return key_head * group + first_head + (warp * 16 + g + 8 * i) % heads_here;
  };
  int row[2];  // -1: a query row that does not exist
  Sight seen[2];
  Query<kDim, true> q;
  for (int i = 0; i < 2; i++) {
    const int m = warp * 16 + g + 8 * i;
    row[i] = first_row + m / heads_here;
    const bool exists =
        m < rows_here * heads_here && row[i] < end_row && head_of(i) < key_head * group + group;
    if (!exists) row[i] = -1;
    if (exists) seen[i] = sight(p, row[i]);
    q.set(i, exists ? query_of(p, row[i], head_of(i)) : nullptr, p.cache.dim);
  }
  if (kQuantised && is_rotated(p.cache.key_code)) q.rotate();
  AttentionState<kDim> state;
  clear(state);

  // Rows of one sequence after another.
  for (int begin = first_row; begin < end_row;) {
    const int sequence = p.step.sequences[begin];
    Sight all = sight(p, begin);
    int end = begin + 1;
    for (; end < end_row && p.step.sequences[end] == sequence; end++) {
      const Sight other = sight(p, end);
      all = {min(all.first, other.first), max(all.last, other.last)};
    }
    int first[2], last[2];
    for (int i = 0; i < 2; i++) {
      const bool here = row[i] >= begin && row[i] < end;
      first[i] = here ? seen[i].first : 0;
      last[i] = here ? seen[i].last : -1;
    }

    const auto sync = [] { __syncthreads(); };  // the reasons are with the tiles
    Tiles<kDim, kTokens, kThreads, kQuantised, decltype(sync)> tiles{
        p, ptx::dynamic_shared<half>(), sequence, key_head, all.last, int(threadIdx.x), sync};
    int token = all.first / kTokens * kTokens;
    tiles.open(token);
    for (; token <= all.last; token += kTokens) {
      const half* keys = tiles.next(token + kTokens);
      const bool visible =
          max(last[0], last[1]) >= token && min(first[0], first[1]) < token + kTokens;
      if (__ballot_sync(kAllLanes, visible)) {
        float scores[kTokens / 8][4];
        multiply_keys<kDim, kTokens>(q, keys, scores);
        adjust_scores<kTokens>(scores, p.scale, p.softcap, token, first, last);
        absorb<kDim, kTokens>(state, scores, keys + kTile);
      }
      tiles.close();
    }
    begin = end;
  }

  if (kQuantised && is_rotated(p.cache.value_code)) rotate(state);
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float scale = 1 / quad_sum(state.sum[i]);
    if (row[i] < 0) continue;
    half* y = p.y + (int64_t(row[i]) * p.heads + head_of(i)) * p.cache.dim;
#pragma unroll
    for (int d = 0; d < kDim / 8; d++) {
      const int element = 8 * d + 2 * t;
      if (element >= p.cache.dim) continue;
      const half2 pair =
          __floats2half2_rn(state.out[d][2 * i] * scale, state.out[d][2 * i + 1] * scale);
      *reinterpret_cast<half2*>(y + element) = pair;
    }
  }
}

}  // namespace exl::cuda
