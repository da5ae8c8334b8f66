// What a weight is before a backend has laid it out: the native half of lib/weights/source.ts.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/tensor.h"
#include "memory/loader.h"

namespace exl {

// A run of bytes: a piece of a file, or memory that `memory` keeps alive.
struct ByteSource {
  std::string path;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::shared_ptr<const std::byte> memory;
  std::shared_ptr<Loader> loader;  // of a file

  // Copies `rows` runs of `bytes`, `stride` apart from `at` on; throws FormatInvalid beyond its
  // end.
  void read(uint64_t at, void* target, size_t bytes, size_t rows = 1, uint64_t stride = 0) const;

  // All of it on the ledger: a copy, or the file itself if the loader maps it.
  BufferPtr to_buffer(const Allocator& allocate, Kind kind, size_t alignment,
                      const std::string& label) const;
};

// Row-major; a linear weight is [out, in].
struct FloatSource {
  Dtype dtype;
  Shape shape;
  ByteSource data;
};

struct QuantGroup {
  int bits;
  int64_t rows;
};

// EXL2: scale = fp16((nibble + 1)^2 * fp16(max / 256)).
struct Exl2Scales {
  ByteSource codes;           // uint32 [groups, out / 8], column 8c + i in bits [4i, 4i + 4)
  std::vector<uint16_t> max;  // bits of one half per group
};

// GPTQ: a float scale and a 4-bit zero point per group and column.
struct GptqScales {
  Dtype dtype;
  ByteSource data;   // [groups, out]
  ByteSource zeros;  // uint32 [groups, out / 8], as the codes of EXL2
  int zero_offset;   // added to each stored zero point
};

// A quantised matrix [in, out] in *packed order*, group after group:
//
//   W[p, n] = (code[p, n] - zero[g(p), n]) * scale[g(p), n],   row p multiplies x[permutation[p]]
struct QuantSource {
  int64_t in, out;
  std::vector<QuantGroup> groups;
  std::vector<int32_t> permutation;  // empty: identity
  std::vector<int32_t> stored_rows;  // row of `words` for each p; empty: identity. 4-bit only
  ByteSource words;                  // uint32 [qrows, out]
  std::variant<Exl2Scales, GptqScales> scales;

  // Throws FormatInvalid unless every index stays inside its tensor, so that decoding needs no
  // checks.
  void validate() const;

  int64_t qrows() const;
};

using WeightSource = std::variant<FloatSource, QuantSource>;

}  // namespace exl
