// Keys and values, in pages of 256 tokens. A page table maps positions of a sequence to pages, so
// which tokens share memory is decided by whoever writes the table.
//
//   keys     [pages, key_heads, dim, 256]   tokens innermost: a vector lane is a token when scores
//                                           are computed
//   values   [pages, key_heads, 256, dim]   elements innermost: a lane is an element when values
//                                           are mixed
//   scales   [pages, key_heads, dim / group, 256]   halves, of quantised keys and values alike
//
// Four bits are stored in pairs, elements 2 i (low) and 2 i + 1 (high) of a token in a byte, so
// that `dim` above becomes dim / 2.
//
// Quantised types (q8, q6, q4) cut a head into groups of elements. A group is rotated by a
// Hadamard matrix in natural order, H[i][j] = (-1)^popcount(i & j), which spreads outliers over
// it, and each of its rotated elements becomes an integer times the scale of the group:
//
//   Int8   scale = half(max |H x| / 127)   H x = scale * code              code -127 to 127
//   Int4   scale = half(max |H x| / 15)    H x = scale * (2 code - 15)     code 0 to 15
//
// where code is the nearest one for the scale as it was rounded, ties to even. A scale is 65504 at
// most, so what is too large saturates; NaN makes its group NaN. H is its own inverse but for a
// factor of `group`, so attention never rotates the cache: q . k = (H q) . (H k) / group, and the
// mix of values is rotated once, after it was mixed.
//
// A group is the largest power of two, of 8, 16 and 32, that divides `dim`, and never reaches into
// the next head or token. ExLlamaV2 cuts one flat array into runs of 512 elements instead, which
// makes neighbouring tokens share a run and be quantised again with it; here a token's bytes depend
// on that token and head alone, are written once, and heads may be small.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "memory/buffer.h"

namespace exl {

inline constexpr int64_t kPageTokens = 256;

// As users choose it.
enum class CacheType { Fp16, Fp8, Q8, Q6, Q4 };

// Throws InvalidArgument.
CacheType cache_type_named(std::string_view name);

// How a key or a value is stored.
enum class CacheCode {
  F64,  // on the oracle, where others have a half
  F16,
  E5M2,  // the upper byte of a half, nearest, ties to even; what is too large becomes 57344
  Int8,
  Int4,
};

// The keys, or the values, of one layer.
struct CacheSide {
  CacheCode code;
  int64_t group = 0;  // elements that share a scale; 0: there are none
  BufferPtr codes, scales;
};

struct LayerCache {
  int64_t pages, key_heads, dim;
  CacheSide keys, values;

  // Of one head in one page.
  template <typename T>
  T* codes(const CacheSide& side, int64_t page, int64_t head) const {
    const size_t bytes = side.codes->size() / size_t(pages * key_heads);
    return reinterpret_cast<T*>(side.codes->data() + size_t(page * key_heads + head) * bytes);
  }
  uint16_t* scales(const CacheSide& side, int64_t page, int64_t head) const {
    return side.scales->as<uint16_t>() +
           (page * key_heads + head) * (dim / side.group) * kPageTokens;
  }
};

struct Cache {
  std::vector<LayerCache> layers;
  // Pages whose memory has been found, and the sides of layers of the next ones: see back_ahead().
  int64_t backed_pages = 0, backed_sides = 0;
};

// What one token of one layer takes, keys and values together. Throws InvalidArgument, if heads
// are too large or cannot be cut into groups.
int64_t cache_token_bytes(CacheType type, Dtype plain, int64_t key_heads, int64_t dim);

// `plain` is how the backend holds an fp16 cache: F16, or F64. Throws InvalidArgument, OutOfMemory.
std::shared_ptr<Cache> make_cache(const Allocator& allocate, CacheType type, Dtype plain,
                                  int64_t layers, int64_t pages, int64_t key_heads, int64_t dim);

// Has some memory of the host found for the pages from `first` up to `end`, a little at each call:
// for a huge page, the system may take milliseconds. Steps that find it themselves find it for all
// layers at once, as these reach the end of a huge page together.
void back_ahead(Cache& cache, int64_t first, int64_t end);

// Copies keys and values of whole pages, in every layer; `memory` is null on the host. Throws
// InvalidArgument.
void copy_pages(DeviceMemory* memory, const Cache& cache, const std::vector<int32_t>& from,
                const std::vector<int32_t>& to);

}  // namespace exl
