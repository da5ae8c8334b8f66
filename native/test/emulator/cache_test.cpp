// What the cache write stores, in every code.
#include "test/emulator/cache.h"

#include <numeric>

namespace exl::test {

namespace {

using cuda::CacheCode;

// Every half, and the nearest of all codes, the even one of two.
void every_half_in_8_bits() {
  constexpr int kDim = 256, kRows = 256;
  TestCache cache(1, kDim, CacheCode::E5M2, CacheCode::E5M2, 1);
  std::vector<half> x(kDim * kRows);
  for (size_t i = 0; i < x.size(); i++) x[i] = __ushort_as_half(uint16_t(i));
  std::vector<int32_t> positions(kRows), sequences(kRows, 0);
  std::iota(positions.begin(), positions.end(), 0);
  const int32_t page = 0;
  cache.write(x, std::vector(x), {positions.data(), sequences.data(), &page, 1}, kRows);
  bool right = true;
  for (size_t i = 0; i < x.size(); i++) {
    const double exact = value(x[i]), got = TestCache::stored(cache.keys, {}, CacheCode::E5M2, i);
    if (std::isnan(exact)) {
      right = right && std::isnan(got);
      continue;
    }
    const double most = 57344, wanted = std::fmin(std::fmax(exact, -most), most);
    // The neighbours of the code must not be nearer, nor as near and even.
    const uint8_t code = cache.keys[i];
    for (const int step : {-1, 1}) {
      const uint8_t other = uint8_t(code + step);
      if ((code ^ other) & 0x80 || (other & 0x7f) > 0x7b) continue;
      const double near = std::abs(got - wanted);
      const double there = std::abs(double(half_to_float(uint16_t(other << 8))) - wanted);
      right = right && (near < there || (near == there && code % 2 == 0));
    }
    right = right && std::signbit(got) == std::signbit(exact);
  }
  check(right, "every half goes to the nearest of 8 bits");
  check(cache.keys == cache.values, "keys and values are stored alike");
}

// Every element within half a step of its code, and scales as small as they can be.
void rotated_case(CacheCode code, float size) {
  constexpr int kDim = 96, kHeads = 2, kRows = 5;
  Random random(41);
  TestCache cache(kHeads, kDim, code, code, 2);
  auto k = random.halves(kRows * kHeads * kDim, size),
       v = random.halves(kRows * kHeads * kDim, size);
  for (size_t i = 0; i < 32; i++) v[i] = __float2half_rn(0);
  const std::vector<int32_t> positions = {0, 255, 256, 300, 301}, sequences(kRows, 0),
                             table = {1, 0};
  cache.write(k, v, {positions.data(), sequences.data(), table.data(), 2}, kRows);
  const double largest = code == CacheCode::Int8 ? 127 : 15;
  bool near = true, tight = true;
  for (const bool is_key : {true, false}) {
    const auto& x = is_key ? k : v;
    const auto& codes = is_key ? cache.keys : cache.values;
    const auto& scales = is_key ? cache.key_scales : cache.value_scales;
    for (size_t r = 0; r < kRows; r++)
      for (size_t h = 0; h < kHeads; h++)
        for (size_t g = 0; g < kDim / 32; g++) {
          const size_t page = size_t(table[size_t(positions[r] / 256)]);
          const size_t at =
              ((page * kHeads + h) * 256 + size_t(positions[r] % 256)) * kDim + g * 32;
          double rotated[32], sum = 0, most = 0;
          for (size_t i = 0; i < 32; i++) {
            rotated[i] = value(x[(r * kHeads + h) * kDim + g * 32 + i]);
            sum += std::abs(rotated[i]);
          }
          hadamard(rotated);
          for (const double value_of : rotated) most = std::max(most, std::abs(value_of));
          const double scale = value(scales[at / 32]), ideal = most / largest;
          // Five additions in fp32, a division, and the scale's rounding, which may cut the
          // largest.
          const double float_error = 6 * kFloatUlp * sum;
          tight = tight && std::abs(scale - ideal) <= ideal * (kHalfUlp + 2 * kFloatUlp) +
                                                          kHalfTiny + float_error / largest;
          const double cut = largest * (ideal * kHalfUlp + kHalfTiny);
          const double step = code == CacheCode::Int8 ? scale : 2 * scale;
          for (size_t i = 0; i < 32; i++)
            near =
                near && std::abs(TestCache::stored(codes, scales, code, at + i) - rotated[i]) <=
                            std::max(step / 2, cut) * (1 + 4 * kFloatUlp * largest) + float_error;
        }
  }
  const std::string what = std::string(code == CacheCode::Int8 ? "8" : "4") + " bits of size " +
                           std::to_string(double(size));
  check(near, "elements are near their codes of " + what);
  check(tight, "scales fit codes of " + what);
}

// Rotating and storing in one pass gives what two passes give.
void rope_into_codes(int pairs, bool interleaved) {
  constexpr int kDim = 64, kHeads = 3, kRows = 4;
  Random random(42);
  const auto k = random.halves(kRows * kHeads * kDim), v = random.halves(k.size());
  const auto angles = random.floats(size_t(kRows * pairs * 2));
  const std::vector<int32_t> positions = {3, 4, 5, 6}, sequences(kRows, 0), table = {0};
  const cuda::StepRows step{positions.data(), sequences.data(), table.data(), 1};
  TestCache fused(kHeads, kDim, CacheCode::Int8, CacheCode::Int4, 1), apart = fused;
  auto rotated = unset_halves(k.size());
  const cuda::RopeCacheWriteParams params{.k = k.data(),
                                          .k_rotated = rotated.data(),
                                          .v = v.data(),
                                          .k_stride = kHeads * kDim,
                                          .rows = kRows,
                                          .key_heads = kHeads,
                                          .dim = kDim,
                                          .angles = angles.data(),
                                          .pairs = pairs,
                                          .interleaved = interleaved,
                                          .cache = fused.pages(),
                                          .step = step};
  emulate([&] { cuda::rope_cache_write(nullptr, params); }, k, v, angles);
  apart.write(rotated, v, step, kRows);
  check(fused.keys == apart.keys && same_bits(fused.key_scales, apart.key_scales),
        "keys rotated into codes");
  check(fused.values == apart.values && same_bits(fused.value_scales, apart.value_scales),
        "values beside them");
}

void not_a_number() {
  TestCache cache(1, 64, CacheCode::Int8, CacheCode::Int4, 1);
  std::vector<half> x(64, __float2half_rn(1));
  x[5] = __ushort_as_half(0x7e00);
  const int32_t zero = 0;
  cache.write(x, std::vector(x), {&zero, &zero, &zero, 1}, 1);
  check(std::isnan(value(cache.key_scales[0])) && std::isnan(value(cache.value_scales[0])),
        "NaN makes its group NaN");
  check(!std::isnan(value(cache.key_scales[1])), "and no other");
}

}  // namespace

void cache_test() {
  every_half_in_8_bits();
  for (const float size : {1.0f, 1e-4f, 1000.0f}) {
    rotated_case(CacheCode::Int8, size);
    rotated_case(CacheCode::Int4, size);
  }
  rope_into_codes(32, false);
  rope_into_codes(20, false);
  rope_into_codes(32, true);
  not_a_number();
}

}  // namespace exl::test
