#include <cmath>

#include "base/float16.h"
#include "formats/format.h"

namespace exl {

namespace {

std::string objects(const WeightSource& source) {
  for (const uint16_t max : source.piece("maxima").values<uint16_t>())
    if (!std::isfinite(half_to_float(max))) return "a maximum scale is not finite";
  const std::string objection = bit_streams_object(source);
  if (!objection.empty()) return objection;
  return no_permutation(source.optional<int32_t>("permutation"), "the permutation");
}

void scales(const WeightSource& source, const AffineMatrix& matrix, const Allocator& allocate,
            uint16_t* scale, uint8_t* zero) {
  const std::vector<uint16_t> maxima = source.piece("maxima").values<uint16_t>();
  const BufferPtr codes =
      source.piece("scales").bytes.to_buffer(allocate, Kind::Staging, 4, "scales.staging");
  for (size_t g = 0; g < matrix.groups.size(); g++) {
    // The division is exact but for subnormals, which the quantiser rounded the same way.
    const float max = round_to_half(half_to_float(maxima[g]) * (1.0f / 256));
    for (int64_t n = 0; n < matrix.out; n++) {
      const int64_t at = int64_t(g) * matrix.out + n;
      const int s = nibble(codes->as<uint32_t>(), at) + 1;
      scale[at] = float_to_half(float(s * s) * max);
      zero[at] = uint8_t(1 << (matrix.groups[g].bits - 1));
    }
  }
}

AffineRows rows(const WeightSource& source) {
  AffineRows result = bit_streams(source);
  result.features = source.optional<int32_t>("permutation");
  return result;
}

constexpr Affine kAffine{.has_zeros = false, .rows = rows, .scales = scales};

}  // namespace

// ExLlamaV2's exllamav2/conversion/adaptivegptq.py writes it, its exllamav2/exllamav2_ext/cuda/
// q_matrix.cu reads it.
const Format formats::exl2{
    .name = "exl2",
    .formula = "scale = half((s + 1)^2 * half(max / 256)), zero = 2^(bits - 1)",
    .shape = "out in",
    .pieces = {{"codes", "I32", "words out"},
               {"scales", "I32", "groups out/8"},  // s, see nibble()
               {"maxima", "F16", "groups"},
               {"groups", "I32", "groups 2"},
               {"permutation", "I32", "in", true}},
    .objects = objects,
    .affine = &kAffine,
};

}  // namespace exl
