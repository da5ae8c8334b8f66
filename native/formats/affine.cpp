#include "formats/affine.h"

#include "base/float16.h"
#include "formats/format.h"

namespace exl {

namespace {

std::vector<QuantGroup> groups_of(const WeightSource& source) {
  const std::vector<int32_t> pairs = source.piece("groups").values<int32_t>();
  std::vector<QuantGroup> groups;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) groups.push_back({pairs[i], pairs[i + 1]});
  return groups;
}

}  // namespace

AffineMatrix::AffineMatrix(const WeightSource& from)
    : AffineRows(from.format->affine->rows(from)),
      source(from),
      in(from.shape[1]),
      out(from.shape[0]),
      words(from.piece("codes").shape[0]),
      codes(from.piece("codes").bytes),
      has_zeros(from.format->affine->has_zeros) {}

GroupScales AffineMatrix::scales(const Allocator& allocate, Kind kind,
                                 const std::string& label) const {
  const size_t count = groups.size() * size_t(out);
  const GroupScales result{allocate(count * 2, kind, label + ".scales"),
                           allocate(count, kind, label + ".zeros")};
  source.format->affine->scales(source, *this, allocate, result.scale->as<uint16_t>(),
                                result.zero->as<uint8_t>());
  return result;
}

void decode_row(const CodePlace& place, const uint32_t* words, int64_t stride, int64_t count,
                uint8_t* codes) {
  const uint32_t mask = (1u << place.bits) - 1;
  const uint32_t* low = words + place.word * stride;
  const int shift = place.shift;
  if (shift + place.bits <= 32) {
    for (int64_t n = 0; n < count; n++) codes[n] = uint8_t(low[n] >> shift & mask);
    return;
  }
  const uint32_t* high = low + stride;
  for (int64_t n = 0; n < count; n++)
    codes[n] = uint8_t((low[n] >> shift | high[n] << (32 - shift)) & mask);
}

float dequantise(int code, int zero, uint16_t scale) {
  return round_to_half(float(code - zero) * half_to_float(scale));
}

AffineRows bit_streams(const WeightSource& source) {
  AffineRows result{groups_of(source), {}, {}};
  result.places.reserve(size_t(source.shape[1]));
  int64_t bit = 0;
  for (const QuantGroup& group : result.groups)
    for (int64_t row = 0; row < group.rows; row++, bit += group.bits)
      result.places.push_back({bit / 32, int(bit % 32), group.bits});
  return result;
}

std::string bit_streams_object(const WeightSource& source) {
  constexpr int64_t most = int64_t(1) << 24;
  const int64_t out = source.shape[0], in = source.shape[1];
  if (in > most || out > most)
    return "a matrix of " + std::to_string(in) + " by " + std::to_string(out) + " is out of range";
  if (out % 8 != 0) return "the width " + std::to_string(out) + " is not a multiple of 8";

  const std::vector<QuantGroup> groups = groups_of(source);
  int64_t rows = 0, bits = 0;
  for (const QuantGroup& group : groups) {
    const int b = group.bits;
    if (b != 2 && b != 3 && b != 4 && b != 5 && b != 6 && b != 8)
      return "a group of " + std::to_string(b) + " bits";
    if (group.rows < 0 || group.rows > in)
      return "a group of " + std::to_string(group.rows) + " rows";
    if (group.rows * b % 32 != 0 && &group != &groups.back() && b != 4)
      return "a group that does not end on a whole word";
    rows += group.rows;
    bits += group.rows * b;
  }
  if (rows != in)
    return "the groups have " + std::to_string(rows) + " rows, expected " + std::to_string(in);
  const int64_t words = source.piece("codes").shape[0];
  if (words != (bits + 31) / 32)
    return "the codes have " + std::to_string(words) + " rows of words, expected " +
           std::to_string((bits + 31) / 32);
  return {};
}

std::string no_permutation(const std::vector<int32_t>& order, const char* what) {
  std::vector<bool> seen(order.size(), false);
  for (const int32_t row : order) {
    if (row < 0 || size_t(row) >= order.size() || seen[size_t(row)])
      return std::string(what) + " is not a permutation: " + std::to_string(row);
    seen[size_t(row)] = true;
  }
  return {};
}

}  // namespace exl
