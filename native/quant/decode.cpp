#include "quant/decode.h"

#include "base/float16.h"

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

int nibble(const BufferPtr& words, int64_t index) {
  return int(words->as<uint32_t>()[index / 8] >> (index % 8 * 4) & 15);
}

void decode(const QuantSource& source, const Exl2Scales& from, const Allocator& allocate,
            uint16_t* scale, uint8_t* zero) {
  const BufferPtr codes = from.codes.to_buffer(allocate, Kind::Staging, 4, "scales.staging");
  for (size_t g = 0; g < source.groups.size(); g++) {
    // The division is exact but for subnormals, which the quantiser rounded the same way.
    const float max = round_to_half(half_to_float(from.max[g]) * (1.0f / 256));
    for (int64_t n = 0; n < source.out; n++) {
      const int64_t at = int64_t(g) * source.out + n;
      const int s = nibble(codes, at) + 1;
      scale[at] = float_to_half(float(s * s) * max);
      zero[at] = uint8_t(1 << (source.groups[g].bits - 1));
    }
  }
}

void decode(const QuantSource& source, const GptqScales& from, const Allocator& allocate,
            uint16_t* scale, uint8_t* zero) {
  const BufferPtr zeros = from.zeros.to_buffer(allocate, Kind::Staging, 4, "zeros.staging");
  const BufferPtr raw = from.data.to_buffer(allocate, Kind::Staging, 4, "scales.staging");
  for (int64_t i = 0; i < int64_t(source.groups.size()) * source.out; i++) {
    switch (from.dtype) {
      case Dtype::F16:
        scale[i] = raw->as<uint16_t>()[i];
        break;
      case Dtype::BF16:
        scale[i] = float_to_half(bfloat_to_float(raw->as<uint16_t>()[i]));
        break;
      default:
        scale[i] = float_to_half(raw->as<float>()[i]);
    }
    zero[i] = uint8_t(nibble(zeros, i) + from.zero_offset);
  }
}

}  // namespace

GroupScales decode_scales(const QuantSource& source, const Allocator& allocate, Kind kind,
                          const std::string& label) {
  const size_t count = source.groups.size() * size_t(source.out);
  const GroupScales result{allocate(count * 2, kind, label + ".scales"),
                           allocate(count, kind, label + ".zeros")};
  std::visit(
      [&](const auto& from) {
        decode(source, from, allocate, result.scale->as<uint16_t>(), result.zero->as<uint8_t>());
      },
      source.scales);
  return result;
}

float dequantise(int code, int zero, uint16_t scale) {
  return round_to_half(float(code - zero) * half_to_float(scale));
}

}  // namespace exl
