#include "formats/weight_source.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "formats/format.h"

namespace exl {

namespace {

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Error(Code::FormatInvalid, otherwise);
}

bool is_among(Dtype dtype, std::string_view types) {
  const std::string_view name = dtype_name(dtype);
  for (size_t at = 0; at < types.size();) {
    const size_t end = std::min(types.find('|', at), types.size());
    if (types.substr(at, end - at) == name) return true;
    at = end + 1;
  }
  return false;
}

// Elements of a shape; nothing if they are none or beyond all reason.
int64_t checked_count(const Shape& shape) {
  constexpr int64_t most = int64_t(1) << 40;
  int64_t count = 1;
  for (const int64_t d : shape) {
    if (d < 1 || d > most / count) return 0;
    count *= d;
  }
  return count;
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

void WeightSource::validate() const {
  const std::string name = format->name;
  DimBinding binding;
  require(checked_count(shape) > 0, shape_text(shape) + " is out of range");
  const std::string misfit = binding.bind(format->shape, "the weight", shape);
  require(misfit.empty(), name + ": " + misfit);
  for (const Piece& declared : format->pieces) {
    const auto found = pieces.find(declared.name);
    if (found == pieces.end()) {
      require(declared.optional, name + " has no piece " + declared.name);
      continue;
    }
    const auto& [dtype, dims, bytes] = found->second;
    require(is_among(dtype, declared.types), name + ": " + declared.name + " is of " +
                                                 dtype_name(dtype) + ", expected " +
                                                 declared.types);
    const int64_t count = checked_count(dims);
    require(count > 0, name + ": " + declared.name + " is " + shape_text(dims));
    const std::string objection = binding.bind(declared.dims, declared.name, dims);
    require(objection.empty(), name + ": " + objection);
    const uint64_t expected = uint64_t(count) * dtype_size(dtype);
    require(bytes.length == expected, name + ": " + declared.name + " has " +
                                          std::to_string(bytes.length) + " bytes, expected " +
                                          std::to_string(expected));
  }
  for (const char* number : format->numbers)
    require(numbers.count(number) > 0, name + " has no number " + number);
  if (!format->objects) return;
  const std::string objection = format->objects(*this);
  require(objection.empty(), objection);
}

}  // namespace exl
