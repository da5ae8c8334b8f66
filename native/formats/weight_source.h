// A weight before a backend has laid it out: named pieces of what its format declares. The native
// half of lib/native/weight-source.ts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "memory/loader.h"

namespace exl {

struct Format;

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

// A tensor of a file, or a table that was made while it was read. Row-major.
struct WeightPiece {
  Dtype dtype;
  Shape shape;
  ByteSource bytes;

  // All of it, for small ones.
  template <typename T>
  std::vector<T> values() const {
    std::vector<T> result(bytes.length / sizeof(T));
    bytes.read(0, result.data(), result.size() * sizeof(T));
    return result;
  }
};

struct WeightSource {
  const Format* format = nullptr;
  Shape shape;  // [out, in] of a linear weight, or [size]
  std::map<std::string, WeightPiece, std::less<>> pieces;
  std::map<std::string, double, std::less<>> numbers;

  const WeightPiece& piece(std::string_view name) const { return pieces.find(name)->second; }
  // Empty if the piece is absent.
  template <typename T>
  std::vector<T> optional(std::string_view name) const {
    const auto found = pieces.find(name);
    return found == pieces.end() ? std::vector<T>() : found->second.values<T>();
  }

  // Holds the pieces against the declaration of the format, so that decoding needs no checks.
  // Throws FormatInvalid.
  void validate() const;
};

}  // namespace exl
