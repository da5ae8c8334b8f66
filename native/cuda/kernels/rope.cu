#include "cuda/kernels/rope.cuh"

#include "cuda/launch.cuh"

namespace exl::cuda {

std::string rope_angles_refuses(const RopeAnglesParams& p) {
  if (p.pairs < 1) return "no pairs to rotate";
  return {};
}

void rope_angles(Stream stream, const RopeAnglesParams& p) {
  if (p.rows == 0) return;
  launch(rope_angles_kernel, unsigned(ceil_div(p.rows * p.pairs, 256)), 256, 0, stream, p);
}

std::string rope_cache_write_refuses(const RopeCacheWriteParams& p) {
  if (p.angles && 2 * p.pairs > p.dim)
    return std::to_string(p.pairs) + " pairs, more than heads of " + std::to_string(p.dim) +
           " have";
  if (p.q && !p.q_rotated) return "queries without a place for the rotated ones";
  if (p.v && !p.cache.values) return "values without a cache";
  if (p.k && !p.k_rotated && !p.cache.keys) return "keys without a place for the rotated ones";
  const bool is_quantised =
      p.cache.key_code != CacheCode::F16 || p.cache.value_code != CacheCode::F16;
  if (is_quantised && (p.dim % kCacheGroup || p.dim > 256))
    return "quantised heads of " + std::to_string(p.dim) + ", not a multiple of 32 up to 256";
  if (p.cache.keys && (p.cache.dim != p.dim || p.cache.key_heads != p.key_heads))
    return "a cache of other heads than the keys";
  return {};
}

void rope_cache_write(Stream stream, const RopeCacheWriteParams& p) {
  const int heads = (p.q ? p.heads : 0) + (p.k ? p.key_heads : 0) + (p.v ? p.key_heads : 0);
  if (p.rows == 0 || heads == 0) return;
  const dim3 grid(unsigned(p.rows), unsigned(ceil_div(heads, kRopeWarps)));
  launch(rope_cache_write_kernel, grid, kRopeWarps * kWarp, 0, stream, p);
}

}  // namespace exl::cuda
