#include "quant/decode.h"

#include "core/float16.h"

namespace exl {

std::vector<CodePlace> code_places(const QuantSource& source) {
  std::vector<CodePlace> places;
  places.reserve(size_t(source.in));
  if (!source.stored_rows.empty()) {
    for (const int32_t row : source.stored_rows) places.push_back({row / 8, row % 8 * 4, 4});
    return places;
  }
  int64_t bit = 0;  // each group starts on a word boundary, or continues 4-bit rows
  for (const QuantGroup& group : source.groups)
    for (int64_t row = 0; row < group.rows; row++, bit += group.bits)
      places.push_back({bit / 32, int(bit % 32), group.bits});
  return places;
}

void decode_row(const CodePlace& place, const uint32_t* words, int64_t stride, int64_t count,
                uint8_t* codes) {
  const uint32_t mask = (1u << place.bits) - 1;
  const uint32_t* low = words + place.qrow * stride;
  const int shift = place.shift;
  if (shift + place.bits <= 32) {
    for (int64_t n = 0; n < count; n++) codes[n] = uint8_t(low[n] >> shift & mask);
    return;
  }
  const uint32_t* high = low + stride;
  for (int64_t n = 0; n < count; n++)
    codes[n] = uint8_t((low[n] >> shift | high[n] << (32 - shift)) & mask);
}

namespace {

std::vector<uint32_t> read_words(const ByteSource& source) {
  std::vector<uint32_t> words(source.length / 4);
  source.read(0, words.data(), words.size() * 4);
  return words;
}

int nibble(const std::vector<uint32_t>& words, int64_t index) {
  return int(words[size_t(index / 8)] >> (index % 8 * 4) & 15);
}

void decode(const QuantSource& source, const Exl2Scales& from, GroupScales& to) {
  const std::vector<uint32_t> codes = read_words(from.codes);
  for (size_t g = 0; g < source.groups.size(); g++) {
    // The division is exact but for subnormals, which the quantiser rounded the same way.
    const float max = round_to_half(half_to_float(from.max[g]) * (1.0f / 256));
    const uint8_t zero = uint8_t(1 << (source.groups[g].bits - 1));
    for (int64_t n = 0; n < source.out; n++) {
      const int64_t at = int64_t(g) * source.out + n;
      const int s = nibble(codes, at) + 1;
      to.scale[size_t(at)] = float_to_half(float(s * s) * max);
      to.zero[size_t(at)] = zero;
    }
  }
}

void decode(const QuantSource& source, const GptqScales& from, GroupScales& to) {
  const std::vector<uint32_t> zeros = read_words(from.zeros);
  std::vector<std::byte> raw(from.data.length);
  from.data.read(0, raw.data(), raw.size());
  for (size_t i = 0; i < source.groups.size() * size_t(source.out); i++) {
    switch (from.dtype) {
      case Dtype::F16:
        to.scale[i] = reinterpret_cast<const uint16_t*>(raw.data())[i];
        break;
      case Dtype::BF16:
        to.scale[i] =
            float_to_half(bfloat_to_float(reinterpret_cast<const uint16_t*>(raw.data())[i]));
        break;
      default:
        to.scale[i] = float_to_half(reinterpret_cast<const float*>(raw.data())[i]);
    }
    to.zero[i] = uint8_t(nibble(zeros, int64_t(i)) + from.zero_offset);
  }
}

}  // namespace

GroupScales decode_scales(const QuantSource& source) {
  const size_t count = source.groups.size() * size_t(source.out);
  GroupScales result{std::vector<uint16_t>(count), std::vector<uint8_t>(count)};
  std::visit([&](const auto& from) { decode(source, from, result); }, source.scales);
  return result;
}

float dequantise(int code, int zero, uint16_t scale) {
  return round_to_half(float(code - zero) * half_to_float(scale));
}

}  // namespace exl
