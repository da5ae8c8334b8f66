#include "quant/source.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/float16.h"

namespace exl {

namespace {

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Error(Code::FormatInvalid, otherwise);
}

void require_bytes(const ByteSource& source, int64_t bytes, const char* what) {
  require(source.length == uint64_t(bytes), std::string(what) + " has " +
                                                std::to_string(source.length) +
                                                " bytes, expected " + std::to_string(bytes));
}

void require_permutation(const std::vector<int32_t>& order, int64_t in, const char* what) {
  if (order.empty()) return;
  require(int64_t(order.size()) == in, std::string(what) + " has " + std::to_string(order.size()) +
                                           " entries, expected " + std::to_string(in));
  std::vector<bool> seen(size_t(in), false);
  for (const int32_t row : order) {
    require(row >= 0 && row < in && !seen[size_t(row)],
            std::string(what) + " is not a permutation: " + std::to_string(row));
    seen[size_t(row)] = true;
  }
}

}  // namespace

void ByteSource::read(uint64_t at, void* target, size_t bytes, size_t rows, uint64_t stride) const {
  if (!bytes || !rows) return;
  const uint64_t span = (rows - 1) * stride + bytes;
  require(at <= length && span <= length - at, "a read of " + std::to_string(span) + " bytes at " +
                                                   std::to_string(at) + " leaves a tensor of " +
                                                   std::to_string(length) + " bytes");
  if (!memory) {
    loader->read(path, offset + at, target, bytes, rows, stride);
    return;
  }
  for (size_t row = 0; row < rows; row++)
    std::memcpy(static_cast<std::byte*>(target) + row * bytes, memory.get() + at + row * stride,
                bytes);
}

BufferPtr ByteSource::to_buffer(const Allocator& allocate, Kind kind, size_t alignment,
                                const std::string& label) const {
  if (!memory && kind == Kind::Weights)
    if (BufferPtr mapped = loader->map(path, offset, length, alignment, label)) return mapped;
  BufferPtr buffer = allocate(length, kind, label);
  read(0, buffer->data(), length);
  return buffer;
}

int64_t QuantSource::qrows() const {
  int64_t bits = 0;
  for (const QuantGroup& group : groups) bits += group.rows * group.bits;
  return (bits + 31) / 32;
}

void QuantSource::validate() const {
  constexpr int64_t most = int64_t(1) << 24;
  require(in > 0 && in <= most && out > 0 && out <= most,
          "a matrix of " + std::to_string(in) + " by " + std::to_string(out) + " is out of range");
  require(out % 8 == 0, "the width " + std::to_string(out) + " is not a multiple of 8");

  int64_t rows = 0;
  for (const QuantGroup& group : groups) {
    const int b = group.bits;
    require(b == 2 || b == 3 || b == 4 || b == 5 || b == 6 || b == 8,
            "a group of " + std::to_string(b) + " bits");
    require(group.rows >= 0 && group.rows <= in,
            "a group of " + std::to_string(group.rows) + " rows");
    require(!stored_rows.empty() || group.rows * b % 32 == 0 || &group == &groups.back() || b == 4,
            "a group that does not end on a whole word");
    require(stored_rows.empty() || b == 4, "only 4-bit rows can be stored out of order");
    rows += group.rows;
  }
  require(rows == in,
          "the groups have " + std::to_string(rows) + " rows, expected " + std::to_string(in));
  require_permutation(permutation, in, "the row permutation");
  require_permutation(stored_rows, in, "the stored row order");
  require_bytes(words, qrows() * out * 4, "the codes");

  const int64_t count = int64_t(groups.size());
  if (const auto* exl2 = std::get_if<Exl2Scales>(&scales)) {
    require(int64_t(exl2->max.size()) == count, "there must be one maximum scale per group");
    for (const uint16_t max : exl2->max)
      require(std::isfinite(half_to_float(max)), "a maximum scale is not finite");
    require_bytes(exl2->codes, count * out / 8 * 4, "the scale codes");
  } else {
    const auto& gptq = std::get<GptqScales>(scales);
    require_bytes(gptq.data, count * out * int64_t(dtype_size(gptq.dtype)), "the scales");
    require_bytes(gptq.zeros, count * out / 8 * 4, "the zero points");
  }
}

}  // namespace exl
