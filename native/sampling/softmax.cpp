// Temperature and smoothing: from logits to weights, exp(0) = 1 for the largest.
#include <algorithm>
#include <bit>
#include <limits>

#include "sampling/stages.h"

namespace exl {

namespace {

uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }
float from_bits(uint32_t x) { return std::bit_cast<float>(x); }

// exp(x) for x <= 0 to two units in the last place, by the polynomial of Cephes' expf; 0 where the
// result would be subnormal. Without calls and branches, so that loops become vector instructions.
inline float exp_negative(float x) {
  const uint32_t normal = 0 - uint32_t(x > -87.0f);
  const float y = from_bits((bits(x) & normal) | (bits(-87.0f) & ~normal));
  // Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits.
  const float shifted = y * 1.44269504088896341f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = y - n * 0.693359375f - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return from_bits((bits(p) + (bits(shifted) << 23)) & normal);
}

}  // namespace

void softmax(const StageContext& context, Candidates& list) {
  const SamplerSettings& settings = context.settings;
  const double temperature = settings.temperature_last ? 1 : settings.temperature;
  const double sharpness = settings.smoothing_factor > 0 ? settings.smoothing_factor : 1;
  // Finite, since it is multiplied by 0 too.
  const float scale =
      float(std::min(sharpness / temperature, double(std::numeric_limits<float>::max())));
  const float largest = list.largest();
  float* const values = list.values;
  if (settings.smoothing_factor > 0) {
    for (int64_t i = 0; i < list.count; i++) {
      const float below = values[i] - largest;
      values[i] = exp_negative(-(below * below) * scale);
    }
  } else {
    for (int64_t i = 0; i < list.count; i++)
      values[i] = exp_negative((values[i] - largest) * scale);
  }
  list.add_up();
}

}  // namespace exl
