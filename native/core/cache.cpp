#include "core/cache.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "memory/pages.h"

namespace exl {

namespace {

constexpr std::array<std::string_view, 5> kCacheTypeNames = {"fp16", "fp8", "q8", "q6", "q4"};

// Smaller groups would spend more on scales than on codes.
constexpr int64_t kLargestGroup = 32, kSmallestGroup = 8;

bool is_quantised(CacheCode code) { return code == CacheCode::Int8 || code == CacheCode::Int4; }

CacheCode key_code(CacheType type, Dtype plain) {
  switch (type) {
    case CacheType::Fp16:
      return plain == Dtype::F64 ? CacheCode::F64 : CacheCode::F16;
    case CacheType::Fp8:
      return CacheCode::E5M2;
    case CacheType::Q8:
    case CacheType::Q6:
      return CacheCode::Int8;
    case CacheType::Q4:
      return CacheCode::Int4;
  }
  throw Error(Code::Internal, "a cache type without a code");
}

// Errors of scores grow exponentially and those of values do not, so q6 spends its bits on keys.
CacheCode value_code(CacheType type, Dtype plain) {
  return type == CacheType::Q6 ? CacheCode::Int4 : key_code(type, plain);
}

int64_t code_bytes(CacheCode code, int64_t elements) {
  switch (code) {
    case CacheCode::F64:
      return elements * 8;
    case CacheCode::F16:
      return elements * 2;
    case CacheCode::E5M2:
    case CacheCode::Int8:
      return elements;
    case CacheCode::Int4:
      return elements / 2;
  }
  throw Error(Code::Internal, "a cache code without a size");
}

// The largest power of two that divides a head.
int64_t group_of(CacheType type, CacheCode code, int64_t dim) {
  if (!is_quantised(code)) return 0;
  int64_t group = kLargestGroup;
  while (dim % group) group /= 2;
  if (group < kSmallestGroup)
    throw Error(Code::InvalidArgument,
                "a " + std::string(kCacheTypeNames[size_t(type)]) +
                    " cache needs heads of a multiple of 8 elements, these have " +
                    std::to_string(dim) + "; use fp16 or fp8");
  return group;
}

// The sides of a layer, without memory.
LayerCache describe(CacheType type, Dtype plain, int64_t pages, int64_t key_heads, int64_t dim) {
  const auto in_range = [](int64_t value, int64_t most) { return value >= 1 && value <= most; };
  if (!in_range(pages, int64_t(1) << 24) || !in_range(key_heads, 4096) || !in_range(dim, 256))
    throw Error(Code::InvalidArgument, "a cache of " + std::to_string(pages) + " pages and " +
                                           std::to_string(key_heads) + " key heads of " +
                                           std::to_string(dim) +
                                           " elements is out of range (heads have 1 to 256)");
  const auto side = [&](CacheCode code) {
    return CacheSide{code, group_of(type, code, dim), nullptr, nullptr};
  };
  return {pages, key_heads, dim, side(key_code(type, plain)), side(value_code(type, plain))};
}

size_t scale_bytes(const CacheSide& side, int64_t elements) {
  return side.group ? size_t(elements / side.group) * sizeof(uint16_t) : 0;
}

}  // namespace

CacheType cache_type_named(std::string_view name) {
  for (size_t i = 0; i < kCacheTypeNames.size(); i++)
    if (kCacheTypeNames[i] == name) return CacheType(i);
  throw Error(Code::InvalidArgument,
              "there is no cache type " + std::string(name) + "; use fp16, fp8, q8, q6 or q4");
}

int64_t cache_token_bytes(CacheType type, Dtype plain, int64_t key_heads, int64_t dim) {
  const LayerCache layer = describe(type, plain, 1, key_heads, dim);
  int64_t bytes = 0;
  for (const CacheSide* side : {&layer.keys, &layer.values})
    bytes += code_bytes(side->code, key_heads * dim) + int64_t(scale_bytes(*side, key_heads * dim));
  return bytes;
}

std::shared_ptr<Cache> make_cache(const Allocator& allocate, CacheType type, Dtype plain,
                                  int64_t layers, int64_t pages, int64_t key_heads, int64_t dim) {
  if (layers < 1 || layers > 4096)
    throw Error(Code::InvalidArgument,
                "a cache of " + std::to_string(layers) + " layers is out of range");
  describe(type, plain, pages, key_heads, dim);  // throws for what is out of range
  const double bytes = double(cache_token_bytes(type, plain, key_heads, dim)) * kPageTokens *
                       double(pages) * double(layers);
  const auto available = double(available_memory());
  const auto mebibytes = [](double count) { return std::to_string(int64_t(count / (1 << 20))); };
  if (!allocate.memory && bytes > available)
    throw Error(Code::OutOfMemory, "a cache of " + std::to_string(pages * kPageTokens) +
                                       " tokens takes " + mebibytes(bytes) + " MiB, " +
                                       mebibytes(available) +
                                       " are available; use fewer cache tokens, or q8, q6 or q4");
  auto cache = std::make_shared<Cache>();
  for (int64_t i = 0; i < layers; i++) {
    LayerCache layer = describe(type, plain, pages, key_heads, dim);
    const int64_t elements = pages * key_heads * dim * kPageTokens;
    const auto fill = [&](CacheSide& side, const std::string& label) {
      side.codes = allocate(size_t(code_bytes(side.code, elements)), Kind::Cache, label + "s");
      if (side.group)
        side.scales = allocate(scale_bytes(side, elements), Kind::Cache, label + "_scales");
    };
    const std::string label = "layers." + std::to_string(i);
    fill(layer.keys, label + ".key");
    fill(layer.values, label + ".value");
    cache->layers.push_back(std::move(layer));
  }
  return cache;
}

void back_ahead(Cache& cache, int64_t first, int64_t end) {
  constexpr int64_t calls_per_page = 12;
  const int64_t sides = int64_t(cache.layers.size()) * 2;
  // As many pages of a side as one fault may find.
  const Buffer& some = *cache.layers[0].keys.codes;
  const int64_t pages = std::max<int64_t>(
      1, int64_t(fault_bytes(some.size()) * size_t(cache.layers[0].pages) / some.size()));
  if (cache.backed_pages < first) {
    cache.backed_pages = first;
    cache.backed_sides = 0;
  }
  if (cache.backed_pages >= std::min(end, cache.layers[0].pages)) return;
  const int64_t share = (sides - 1) / (calls_per_page * pages) + 1;
  const int64_t last = std::min(cache.backed_sides + share, sides);
  for (; cache.backed_sides < last; cache.backed_sides++) {
    const LayerCache& layer = cache.layers[size_t(cache.backed_sides / 2)];
    const CacheSide& side = cache.backed_sides % 2 ? layer.values : layer.keys;
    for (const BufferPtr& buffer : {side.codes, side.scales}) {
      if (!buffer) continue;
      const size_t bytes = buffer->size() / size_t(layer.pages);
      buffer->back(size_t(cache.backed_pages) * bytes, size_t(pages) * bytes);
    }
  }
  if (last < sides) return;
  cache.backed_pages += pages;
  cache.backed_sides = 0;
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
    for (const BufferPtr& buffer :
         {layer.keys.codes, layer.keys.scales, layer.values.codes, layer.values.scales}) {
      if (!buffer) continue;
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
