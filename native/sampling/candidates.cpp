#include "sampling/candidates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

namespace exl {

namespace {

// Loops over this many values at a time become vector instructions.
constexpr int64_t kLanes = 16;

// The least float that is not below: comparing floats with it is comparing with the double.
float least_float(double bound) {
  const float near = float(bound);
  return double(near) < bound ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
}

}  // namespace

float bounded(double logit) {
  if (std::isnan(logit)) return kLowest;
  return float(std::clamp(logit, double(kLowest), -double(kLowest)));
}

uint64_t order_key(float value, int32_t id) {
  const uint32_t bits = std::bit_cast<uint32_t>(value + 0.0f);  // -0 equals 0
  const uint32_t ordered = bits >> 31 ? ~bits : bits | 0x80000000;
  return uint64_t(ordered) << 32 | uint32_t(~id);
}

float key_value(uint64_t key) {
  const uint32_t ordered = uint32_t(key >> 32);
  return std::bit_cast<float>(ordered >> 31 ? ordered & 0x7fffffff : ~ordered);
}

Candidates::Candidates(float* logits, int64_t vocabulary, std::byte* scratch)
    : values(logits),
      count(vocabulary),
      keys_(reinterpret_cast<uint64_t*>(scratch)),
      ids_(reinterpret_cast<int32_t*>(scratch + size_t(vocabulary) * sizeof(uint64_t))) {}

size_t Candidates::scratch_bytes(int64_t vocabulary) {
  return (size_t(vocabulary) * (sizeof(uint64_t) + sizeof(int32_t)) + 63) / 64 * 64;
}

Candidates::Candidates(float* logits, const int32_t* ids, int64_t n, std::byte* scratch)
    : Candidates(logits, n, scratch) {
  whole_ = false;
  std::copy_n(ids, n, ids_);
}

float Candidates::largest() const {
  // So many that the compiler sees a loop to vectorise and not as many single values.
  constexpr int64_t kMany = 64;
  float most[kMany];
  std::fill_n(most, kMany, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kMany <= count; i += kMany)
    for (int64_t k = 0; k < kMany; k++) most[k] = values[i + k] > most[k] ? values[i + k] : most[k];
  for (; i < count; i++) most[0] = std::max(most[0], values[i]);
  return *std::max_element(most, most + kMany);
}

void Candidates::add_up() { sum = total(values, count); }

int64_t Candidates::count_from(double least) const {
  const float bound = least_float(least);
  int64_t found = 0;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    int32_t here = 0;
    for (int64_t k = 0; k < kLanes; k++) here += values[i + k] >= bound;
    found += here;
  }
  for (; i < count; i++) found += values[i] >= bound;
  return found;
}

void Candidates::keep_from(double least) {
  const float bound = least_float(least);
  int64_t kept = 0;
  const auto keep = [&](int64_t i, int32_t own) {
    const float value = values[i];
    values[kept] = value, ids_[kept] = own;
    kept += value >= bound;
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    int32_t here = 0;
    for (int64_t k = 0; k < kLanes; k++) here |= values[i + k] >= bound;
    if (!here) continue;
    if (whole_)
      for (int64_t k = i; k < i + kLanes; k++) keep(k, int32_t(k));
    else
      for (int64_t k = i; k < i + kLanes; k++) keep(k, ids_[k]);
  }
  for (; i < count; i++) keep(i, id(i));
  resize(kept);
}

void Candidates::sort() {
  if (sorted) return;
  for (int64_t i = 0; i < count; i++) keys_[i] = key(i);
  std::sort(keys_, keys_ + count, std::greater<>());
  take_keys(count);
  sorted = true;
}

void Candidates::take_keys(int64_t n) {
  for (int64_t i = 0; i < n; i++) values[i] = key_value(keys_[i]), ids_[i] = key_id(keys_[i]);
  whole_ = false;
  count = n;
}

double total(const float* values, int64_t count) {
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t k = 0; k < kLanes; k++) sums[k] += double(values[i + k]);
  for (; i < count; i++) sums[0] += double(values[i]);
  double sum = 0;
  for (const double lane : sums) sum += lane;
  return sum;
}

}  // namespace exl
