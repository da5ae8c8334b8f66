#include "base/float16.h"
#include "formats/format.h"

namespace exl {

namespace {

void scales(const WeightSource& source, const AffineMatrix&, const Allocator& allocate,
            uint16_t* scale, uint8_t* zero) {
  const WeightPiece& from = source.piece("scales");
  const BufferPtr raw = from.bytes.to_buffer(allocate, Kind::Staging, 4, "scales.staging");
  const BufferPtr zeros =
      source.piece("zeros").bytes.to_buffer(allocate, Kind::Staging, 4, "zeros.staging");
  const int offset = int(source.numbers.find("zeroOffset")->second);
  for (int64_t i = 0; i < element_count(from.shape); i++) {
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
    zero[i] = uint8_t(nibble(zeros->as<uint32_t>(), i) + offset);
  }
}

// Rows of a group may lie anywhere; they are packed in the order of their groups.
AffineRows rows(const WeightSource& source) {
  AffineRows result = bit_streams(source);
  result.features = source.optional<int32_t>("order");
  for (size_t p = 0; p < result.features.size(); p++) {
    const int32_t row = result.features[p];
    result.places[p] = {row / 8, row % 8 * 4, 4};
  }
  return result;
}

std::string objects(const WeightSource& source) {
  const double offset = source.numbers.find("zeroOffset")->second;
  if (offset != 0 && offset != 1) return "zeroOffset is neither 0 nor 1";
  const std::string objection = bit_streams_object(source);
  if (!objection.empty()) return objection;
  for (const QuantGroup& group : bit_streams(source).groups)
    if (group.bits != 4) return "a group of " + std::to_string(group.bits) + " bits";
  return no_permutation(source.optional<int32_t>("order"), "the order");
}

constexpr Affine kAffine{.has_zeros = true, .rows = rows, .scales = scales};

}  // namespace

// AutoGPTQ and GPTQModel write it. Version 1 stores zero points less one, version 2 as they are.
const Format formats::gptq{
    .name = "gptq",
    .formula = "scale as half, zero = z + zeroOffset",
    .shape = "out in",
    .pieces = {{"codes", "I32", "words out"},
               {"scales", "F32|F16|BF16", "groups out"},
               {"zeros", "I32", "groups out/8"},  // z, see nibble()
               {"groups", "I32", "groups 2"},
               {"order", "I32", "in", true}},  // the stored row of each packed one
    .numbers = {"zeroOffset"},
    .objects = objects,
    .affine = &kAffine,
};

}  // namespace exl
