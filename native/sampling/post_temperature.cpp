// Temperature after the truncations: a fixed one (temperature last), or one that grows with the
// entropy of what they left (dynamic temperature).
#include <cmath>

#include "sampling/stages.h"

namespace exl {

namespace {

// From 0, all in one token, to 1, all equal.
double relative_entropy(const Candidates& list) {
  double entropy = 0;
  for (int64_t i = 0; i < list.count; i++) {
    const double p = double(list.values[i]) / list.sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  const double relative = entropy / std::log(double(list.count));
  return relative < 0 ? 0 : relative < 1 ? relative : 1;
}

}  // namespace

void post_temperature(const StageContext& context, Candidates& list) {
  const SamplerSettings& settings = context.settings;
  const auto& [min, max, exponent] = settings.dynamic_temperature;
  double temperature = settings.temperature_last ? settings.temperature : 1;
  if (list.count < 2) return;
  if (max > 0) temperature = min + (max - min) * std::pow(relative_entropy(list), exponent);
  if (temperature == 1) return;

  // Relative to the largest, so that 0 leaves the largest alone.
  const double largest = double(list.largest()), power = 1 / temperature;
  for (int64_t i = 0; i < list.count; i++)
    list.values[i] = float(std::pow(double(list.values[i]) / largest, power));
  list.add_up();
}

}  // namespace exl
