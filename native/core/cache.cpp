#include "core/cache.h"

#include <cstring>

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

void copy_pages(DeviceMemory* memory, const Cache& cache, const std::vector<int32_t>& from,
                const std::vector<int32_t>& to) {
  if (from.size() != to.size())
    throw Error(Code::InvalidArgument, "pages to copy from and to differ in number");
  const int64_t pages = cache.layers[0].pages;
  for (const auto* list : {&from, &to})
    for (const int32_t page : *list)
      if (page < 0 || page >= pages)
        throw Error(Code::InvalidArgument,
                    "there is no page " + std::to_string(page) + " among " + std::to_string(pages));
  for (const LayerCache& layer : cache.layers)
    for (const BufferPtr& buffer : {layer.keys, layer.values}) {
      const size_t bytes = buffer->size() / size_t(pages);
      for (size_t i = 0; i < from.size(); i++)
        if (from[i] != to[i]) {
          std::byte* target = buffer->data() + size_t(to[i]) * bytes;
          const std::byte* source = buffer->data() + size_t(from[i]) * bytes;
          if (memory)
            memory->copy(target, source, bytes);
          else
            std::memcpy(target, source, bytes);
        }
    }
  if (memory) memory->synchronize();
}

}  // namespace exl
