// Attention of single tokens, each against all it has seen: one block per row, key head and page,
// whose results a second kernel merges.
//
//   q, y      [rows, heads, dim]  half, dim <= kDim and a multiple of 8
//   scratch   [rows, heads, splits, 2 + dim] floats: maximum, sum, weighted values
//
//   Grid      (rows, key heads x tiles of 16 heads, splits); a block whose page its row does not
//             see ends at once, so the grid need not know how long sequences are
//   Shared    two stages of kDecodeTokens keys and values per warp
//   Numerics  as attention_prefill; warps, then pages, are merged in ascending order
//   Bound     memory: each key and value is read once per row
//   Needs     mma, ldmatrix, asynchronous copies
#pragma once

#include "cuda/kernels/attention.cuh"

namespace exl::cuda {

inline constexpr int kDecodeTokens = 16;

template <int kDim, int kWarps, bool kQuantised>
__host__ __device__ constexpr int decode_shared_bytes() {
  return kWarps * tiles_bytes<kDim, kDecodeTokens, kQuantised>();
}

// What one warp has found out about 16 query rows, laid out for the others.
template <int kDim>
struct WarpResult {
  float most[16], sum[16];
  float out[16][kDim];
};

// The share of a part in a softmax whose maximum is `most`.
__device__ __forceinline__ float part_of(float part_most, float most) {
  return exp2f((part_most - most) * kLog2E);
}

template <int kDim, int kWarps, bool kQuantised>
__global__ void __launch_bounds__(kWarps* kWarp, kDim > 64 ? 2 : 4)
    attention_decode_kernel(const AttentionParams p) {
  ptx::begin();
  constexpr int kTile = kDecodeTokens * kDim;
  static_assert(kWarps * sizeof(WarpResult<kDim>) <=
                size_t(decode_shared_bytes<kDim, kWarps, kQuantised>()));

  const int64_t row = blockIdx.x;
  const Sight seen = sight(p, row);
  const int page_number = int(blockIdx.z);
  const int begin = max(seen.first, page_number * kPageTokens);
  const int last = min(seen.last, page_number * kPageTokens + kPageTokens - 1);
  if (begin > last) return;

  const int group = p.heads / p.cache.key_heads;
  const int head_tiles = (group + 15) / 16;
  const int key_head = int(blockIdx.y) / head_tiles;
  const int first_of_group = int(blockIdx.y) % head_tiles * 16;
  const int first_head = key_head * group + first_of_group;
  const int heads_here = min(group - first_of_group, 16);

  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  Query<kDim, kDim <= 128 || kQuantised> q;
  for (int i = 0; i < 2; i++) {
    const int m = g + 8 * i;
    q.set(i, m < heads_here ? query_of(p, row, first_head + m) : nullptr, p.cache.dim);
  }
  if constexpr (kQuantised)
    if (is_rotated(p.cache.key_code)) q.rotate();
  AttentionState<kDim> state;
  clear(state);

  const auto sync = [] { __syncwarp(); };  // the reasons are with the tiles
  Tiles<kDim, kDecodeTokens, kWarp, kQuantised, decltype(sync)> tiles{
      p,
      ptx::dynamic_shared<half>() + warp * (tiles_bytes<kDim, kDecodeTokens, kQuantised>() / 2),
      p.step.sequences[row],
      key_head,
      last,
      lane,
      sync};

  // Tiles start at multiples of their size, and every kWarps-th is this warp's, wherever the row
  // begins to see.
  constexpr int kStep = kWarps * kDecodeTokens;
  int token = begin / kStep * kStep + warp * kDecodeTokens;
  if (token + kDecodeTokens <= begin) token += kStep;
  const int first[2] = {seen.first, seen.first}, lasts[2] = {last, last};
  tiles.open(token);
  for (; token <= last; token += kStep) {
    const half* keys = tiles.next(token + kStep);
    float scores[kDecodeTokens / 8][4];
    multiply_keys<kDim, kDecodeTokens>(q, keys, scores);
    adjust_scores<kDecodeTokens>(scores, p.scale, p.softcap, token, first, lasts);
    absorb<kDim, kDecodeTokens>(state, scores, keys + kTile);
    tiles.close();
  }
  if (kQuantised && is_rotated(p.cache.value_code)) rotate(state);

  __syncthreads();  // every warp is through with its stages, where the results go
  auto* results = ptx::dynamic_shared<WarpResult<kDim>>();
  for (int i = 0; i < 2; i++) {
    const float sum = quad_sum(state.sum[i]);
    results[warp].most[g + 8 * i] = state.most[i];
    results[warp].sum[g + 8 * i] = sum;
#pragma unroll
    for (int d = 0; d < kDim / 8; d++)
      for (int j = 0; j < 2; j++)
        results[warp].out[g + 8 * i][8 * d + 2 * t + j] = state.out[d][2 * i + j];
  }
  __syncthreads();  // the results of all warps are there

  const bool is_only = seen.first / kPageTokens == seen.last / kPageTokens;
  for (int i = threadIdx.x; i < heads_here * p.cache.dim; i += kWarps * kWarp) {
    const int m = i / p.cache.dim, element = i % p.cache.dim;
    float most = -INFINITY;
    for (int w = 0; w < kWarps; w++) most = fmaxf(most, results[w].most[m]);
    float sum = 0, out = 0;
    for (int w = 0; w < kWarps; w++) {
      const float part = part_of(results[w].most[m], most);
      sum += results[w].sum[m] * part;
      out += results[w].out[m][element] * part;
    }
    const int64_t head = row * p.heads + first_head + m;
    if (is_only) {
      p.y[head * p.cache.dim + element] = __float2half_rn(out / sum);
      continue;
    }
    float* to = p.scratch + (head * p.splits + page_number) * (p.cache.dim + 2);
    if (element == 0) {
      to[0] = most;
      to[1] = sum;
    }
    to[2 + element] = out;
  }
}

// Grid: rows x heads blocks of one warp, an element per lane at a time.
__global__ void __launch_bounds__(kWarp) attention_merge_kernel(const AttentionParams p) {
  ptx::begin();
  const int64_t head = blockIdx.x;
  const Sight seen = sight(p, head / p.heads);
  const int begin = seen.first / kPageTokens, last = seen.last / kPageTokens;
  if (begin == last) return;  // one page: the result is written
  const float* parts = p.scratch + head * p.splits * (p.cache.dim + 2);
  const auto part = [&](int split) { return parts + split * (p.cache.dim + 2); };

  float most = -INFINITY;
  for (int split = begin; split <= last; split++) most = fmaxf(most, part(split)[0]);
  float sum = 0;
  for (int split = begin; split <= last; split++)
    sum += part(split)[1] * part_of(part(split)[0], most);
  for (int element = threadIdx.x; element < p.cache.dim; element += kWarp) {
    float out = 0;
    for (int split = begin; split <= last; split++)
      out += part(split)[2 + element] * part_of(part(split)[0], most);
    p.y[head * p.cache.dim + element] = __float2half_rn(out / sum);
  }
}

}  // namespace exl::cuda
