// Keys and values, in pages of 256 tokens. A page table maps positions of a sequence to pages, so
// which tokens share memory is decided by whoever writes the table.
//
//   keys     [pages, key_heads, dim, 256]   tokens innermost: a vector lane is a token when scores
//   are computed values   [pages, key_heads, 256, dim]   elements innermost: a lane is an element
//   when values are mixed
#pragma once

#include <memory>
#include <vector>

#include "core/tensor.h"
#include "memory/buffer.h"

namespace exl {

inline constexpr int64_t kPageTokens = 256;

struct LayerCache {
  Dtype dtype;
  int64_t pages, key_heads, dim;
  BufferPtr keys, values;

  int64_t key_at(int64_t page, int64_t head) const {
    return (page * key_heads + head) * dim * kPageTokens;
  }
  int64_t value_at(int64_t page, int64_t head) const {
    return (page * key_heads + head) * kPageTokens * dim;
  }
};

struct Cache {
  std::vector<LayerCache> layers;
};

// Copies keys and values of whole pages, in every layer; `memory` is null on the host. Throws
// InvalidArgument.
void copy_pages(DeviceMemory* memory, const Cache& cache, const std::vector<int32_t>& from,
                const std::vector<int32_t>& to);

std::shared_ptr<Cache> make_cache(const Allocator& allocate, Dtype dtype, int64_t layers,
                                  int64_t pages, int64_t key_heads, int64_t dim);

}  // namespace exl
