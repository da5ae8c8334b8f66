// Rotary position embedding (Su et al., arXiv:2104.09864), and what follows it: keys and values go
// to their pages in the same pass.
//
//   Grid      (rows, heads of all kinds / kRopeWarps); a warp owns one head of one row
//   Shared    a head per warp, if the cache is quantised
//   Numerics  fp32, one rounding per rotated element; codes are of the rounded elements
//   Bound     memory, but so small that it is its launch that costs
//   Needs     warp shuffles
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/mma/cache_codes.cuh"

namespace exl::cuda {

inline constexpr int kRopeWarps = 4;

// Angles grow to 1e5 radians and more, of which fp32 keeps two decimals: the turn is reduced to
// (-pi, pi] in fp64 first.
__global__ void __launch_bounds__(256) rope_angles_kernel(const RopeAnglesParams p) {
  ptx::begin();
  const int64_t at = int64_t(blockIdx.x) * 256 + threadIdx.x;
  if (at >= p.rows * p.pairs) return;
  constexpr double kTurn = 6.283185307179586477;
  const double angle = double(p.positions[at / p.pairs]) * double(p.frequencies[at % p.pairs]);
  const float reduced = float(angle - rint(angle / kTurn) * kTurn);
  p.y[2 * at] = cosf(reduced) * p.scale;
  p.y[2 * at + 1] = sinf(reduced) * p.scale;
}

// One head, from `x` to whichever of the two targets is not null. `x` may be `y`: a pair is read
// and written by one lane.
__device__ __forceinline__ void rotate_head(const RopeCacheWriteParams& p, const float* angles,
                                            int pairs, const half* x, half* y, half* z) {
  const auto put = [&](int c, half v) {
    if (y) y[c] = v;
    if (z) z[c] = v;
  };
  const int lane = threadIdx.x % kWarp;
  for (int i = lane; i < pairs; i += kWarp) {
    const int a = p.interleaved ? 2 * i : i, b = p.interleaved ? 2 * i + 1 : i + pairs;
    const float cosine = angles[2 * i], sine = angles[2 * i + 1];
    const float low = to_float(x[a]), high = to_float(x[b]);
    put(a, __float2half_rn(low * cosine - high * sine));
    put(b, __float2half_rn(high * cosine + low * sine));
  }
  for (int c = 2 * pairs + lane; c < p.dim; c += kWarp) put(c, x[c]);
}

// Heads on their way to codes.
struct StagedHeads {
  half of_warp[kRopeWarps][256];
};

__global__ void __launch_bounds__(kRopeWarps* kWarp)
    rope_cache_write_kernel(const RopeCacheWriteParams p) {
  ptx::begin();
  const int64_t row = blockIdx.x;
  int head = int(blockIdx.y) * kRopeWarps + int(threadIdx.x) / kWarp;
  const int pairs = p.angles ? p.pairs : 0;
  const float* angles = p.angles + row * pairs * 2;

  const int query_heads = p.q ? p.heads : 0;
  if (head < query_heads) {
    rotate_head(p, angles, pairs, p.q + row * p.q_stride + int64_t(head) * p.dim,
                p.q_rotated + (row * p.heads + head) * p.dim, nullptr);
    return;
  }
  head -= query_heads;
  const int key_heads = p.k ? p.key_heads : 0;
  const bool is_key = head < key_heads;
  if (!is_key) head -= key_heads;
  if (head >= p.key_heads || (!is_key && !p.v)) return;

  const CacheCode code = is_key ? p.cache.key_code : p.cache.value_code;
  auto& staged = ptx::static_shared<StagedHeads>();
  half* cached = nullptr;
  int64_t token = 0;
  if (p.cache.keys) {
    const int position = p.step.positions[row];
    const int64_t page = p.step.pages[int64_t(p.step.sequences[row]) * p.step.pages_per_sequence +
                                      position / kPageTokens];
    token = (page * p.key_heads + head) * kPageTokens + position % kPageTokens;
    cached = code == CacheCode::F16
                 ? static_cast<half*>(is_key ? p.cache.keys : p.cache.values) + token * p.dim
                 : staged.of_warp[threadIdx.x / kWarp];
  }
  const int64_t from = row * p.k_stride + int64_t(head) * p.dim;
  if (is_key)
    rotate_head(p, angles, pairs, p.k + from,
                p.k_rotated ? p.k_rotated + (row * p.key_heads + head) * p.dim : nullptr, cached);
  else
    rotate_head(p, angles, 0, p.v + from, nullptr, cached);

  if (!p.cache.keys || code == CacheCode::F16) return;
  __syncwarp();  // the head is complete: its groups are of other lanes' elements
  auto* codes = static_cast<unsigned char*>(is_key ? p.cache.keys : p.cache.values) +
                token * p.dim * code_bits(code) / 8;
  half* scales = is_key ? p.cache.key_scales : p.cache.value_scales;
  for (int g = 0; g < p.dim / kCacheGroup; g++)
    store_group(code, cached[g * kCacheGroup + threadIdx.x % kWarp],
                codes + g * kCacheGroup * code_bits(code) / 8,
                scales + token * (p.dim / kCacheGroup) + g);
}

}  // namespace exl::cuda
