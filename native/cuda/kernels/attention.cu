#include <algorithm>

#include "cuda/kernels/attention_decode.cuh"
#include "cuda/kernels/attention_prefill.cuh"
#include "cuda/launch.cuh"

namespace exl::cuda {

std::string attention_refuses(const AttentionParams& p) {
  if (p.cache.dim < 1 || p.cache.dim > 256 || p.cache.dim % 8)
    return "heads of " + std::to_string(p.cache.dim) + "; they must be a multiple of 8 up to 256";
  const bool f16_keys = p.cache.key_code == CacheCode::F16;
  if (f16_keys != (p.cache.value_code == CacheCode::F16))
    return "keys and values of which only one are halves";
  if (!f16_keys && p.cache.dim % kCacheGroup)
    return "quantised heads of " + std::to_string(p.cache.dim) + ", not a multiple of 32";
  if (p.cache.key_heads < 1 || p.heads % p.cache.key_heads)
    return std::to_string(p.heads) + " query heads cannot share " +
           std::to_string(p.cache.key_heads) + " key heads evenly";
  if (p.rows * p.heads > INT32_MAX)
    return std::to_string(p.rows) + " rows, more than a grid has blocks";
  if (p.q_stride % 8) return "queries whose rows do not start on 16 bytes";
  return {};
}

int64_t attention_scratch_bytes(const AttentionParams& p) {
  return p.splits > 1 ? p.rows * p.heads * p.splits * (p.cache.dim + 2) * int64_t(sizeof(float))
                      : 0;
}

namespace {

// Tiles of 64 tokens, but of 16 where a head is so long that its sums fill the registers.
template <int kDim>
constexpr int kPrefillTokens = kDim > 128 ? 16 : 64;
// Two warps where the stages of four would not fit.
template <int kDim>
constexpr int kDecodeWarps = kDim > 128 ? 2 : 4;

template <int kDim, bool kQuantised>
constexpr int most_shared_bytes() {
  return std::max(tiles_bytes<kDim, kPrefillTokens<kDim>, kQuantised>(),
                  decode_shared_bytes<kDim, kDecodeWarps<kDim>, kQuantised>());
}

// Query rows are spread over 4 warps.
template <int kDim, bool kQuantised>
void start_prefill(Stream stream, const AttentionParams& p) {
  constexpr int kWarps = 4, kTokens = kPrefillTokens<kDim>;
  const int group = p.heads / p.cache.key_heads;
  const int heads_here = min(group, 16 * kWarps), rows_here = 16 * kWarps / heads_here;
  const dim3 grid(unsigned(ceil_div(p.rows, rows_here)),
                  unsigned(p.cache.key_heads * ceil_div(group, heads_here)));
  launch(attention_prefill_kernel<kDim, kTokens, kWarps, kQuantised>, grid, kWarps * kWarp,
         tiles_bytes<kDim, kTokens, kQuantised>(), stream, p);
}

template <int kDim, bool kQuantised>
void start_decode(Stream stream, const AttentionParams& p) {
  constexpr int kWarps = kDecodeWarps<kDim>;
  const int group = p.heads / p.cache.key_heads;
  const dim3 grid(unsigned(p.rows), unsigned(p.cache.key_heads * ceil_div(group, 16)),
                  unsigned(p.splits));
  launch(attention_decode_kernel<kDim, kWarps, kQuantised>, grid, kWarps * kWarp,
         decode_shared_bytes<kDim, kWarps, kQuantised>(), stream, p);
}

bool is_quantised(const LayerPages& cache) {
  return cache.key_code != CacheCode::F16 || cache.value_code != CacheCode::F16;
}

template <bool kQuantised>
void prefill(Stream stream, const AttentionParams& p) {
  if (p.cache.dim <= 64)
    start_prefill<64, kQuantised>(stream, p);
  else if (p.cache.dim <= 128)
    start_prefill<128, kQuantised>(stream, p);
  else
    start_prefill<256, kQuantised>(stream, p);
}

template <bool kQuantised>
void decode(Stream stream, const AttentionParams& p) {
  if (p.cache.dim <= 64)
    start_decode<64, kQuantised>(stream, p);
  else if (p.cache.dim <= 128)
    start_decode<128, kQuantised>(stream, p);
  else
    start_decode<256, kQuantised>(stream, p);
}

}  // namespace

int64_t attention_shared_bytes(const AttentionParams& p) {
  const bool quantised = is_quantised(p.cache);
  if (p.cache.dim <= 64)
    return quantised ? most_shared_bytes<64, true>() : most_shared_bytes<64, false>();
  if (p.cache.dim <= 128)
    return quantised ? most_shared_bytes<128, true>() : most_shared_bytes<128, false>();
  return quantised ? most_shared_bytes<256, true>() : most_shared_bytes<256, false>();
}

void attention_prefill(Stream stream, const AttentionParams& p) {
  if (p.rows == 0) return;
  is_quantised(p.cache) ? prefill<true>(stream, p) : prefill<false>(stream, p);
}

void attention_decode(Stream stream, const AttentionParams& p) {
  if (p.rows == 0) return;
  is_quantised(p.cache) ? decode<true>(stream, p) : decode<false>(stream, p);
  if (p.splits > 1) launch(attention_merge_kernel, unsigned(p.rows * p.heads), kWarp, 0, stream, p);
}

}  // namespace exl::cuda
