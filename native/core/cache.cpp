#include "core/cache.h"

namespace exl {

std::shared_ptr<Cache> make_cache(const Allocator& allocate, Dtype dtype, int64_t layers,
                                  int64_t pages, int64_t key_heads, int64_t dim) {
  const auto in_range = [](int64_t value, int64_t most) { return value >= 1 && value <= most; };
  if (!in_range(layers, 4096) || !in_range(pages, int64_t(1) << 24) || !in_range(key_heads, 4096) ||
      !in_range(dim, 256))
    throw Error(Code::InvalidArgument,
                "a cache of " + std::to_string(layers) + " layers, " + std::to_string(pages) +
                    " pages, " + std::to_string(key_heads) + " key heads of " +
                    std::to_string(dim) + " elements is out of range (heads have 1 to 256)");
  auto cache = std::make_shared<Cache>();
  const size_t bytes = size_t(pages * key_heads * dim * kPageTokens) * dtype_size(dtype);
  for (int64_t i = 0; i < layers; i++) {
    const std::string label = "layers." + std::to_string(i);
    cache->layers.push_back({dtype, pages, key_heads, dim,
                             allocate(bytes, Kind::Cache, label + ".keys"),
                             allocate(bytes, Kind::Cache, label + ".values")});
  }
  return cache;
}

}  // namespace exl
