#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>

namespace exl {

namespace {

// SplitMix64 (Steele, Lea and Flood, 2014) over seed and counter: a random access stream.
double uniform(uint64_t seed, uint64_t counter) {
  uint64_t z = seed + (counter + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return double(z >> 11) * 0x1p-53;
}

constexpr float kLowest = -1e30f;

struct Candidate {
  float value;
  int32_t id;
};

}  // namespace

void Sampler::feed(const std::vector<int32_t>& tokens) {
  if (settings_.repetition_penalty == 1) return;
  for (const int32_t token : tokens) {
    if (token < 0) continue;
    if (size_t(token) >= is_seen_.size()) is_seen_.resize(size_t(token) + 1);
    if (is_seen_[size_t(token)]) continue;
    is_seen_[size_t(token)] = true;
    seen_.push_back(token);
  }
}

void Sampler::penalise(float* logits, int64_t vocabulary) {
  const float penalty = settings_.repetition_penalty;
  for (const int32_t token : seen_) {
    if (token >= vocabulary) continue;
    float& logit = logits[token];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

size_t Sampler::scratch_bytes(int64_t vocabulary) {
  return (size_t(vocabulary) * sizeof(Candidate) + 63) / 64 * 64;
}

int32_t Sampler::draw(float* logits, int64_t vocabulary, std::byte* scratch) {
  // A damaged model gives NaN and infinity, which have no order: they become the ends of the scale.
  for (int64_t i = 0; i < vocabulary; i++)
    logits[i] = std::isnan(logits[i]) ? kLowest : std::clamp(logits[i], kLowest, -kLowest);
  penalise(logits, vocabulary);
  const int32_t id = pick(logits, vocabulary, scratch);
  feed({id});
  return id;
}

int32_t Sampler::pick(const float* logits, int64_t vocabulary, std::byte* scratch) {
  const float* largest = std::max_element(logits, logits + vocabulary);
  if (settings_.temperature == 0 || settings_.top_k == 1) return int32_t(largest - logits);

  // Ties are broken by id so that the order is the same everywhere.
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
  };
  auto* candidates = reinterpret_cast<Candidate*>(scratch);
  for (int64_t i = 0; i < vocabulary; i++)
    candidates[i] = {(logits[i] - *largest) / settings_.temperature, int32_t(i)};
  int64_t count = vocabulary;
  if (settings_.top_k > 0) count = std::min<int64_t>(count, settings_.top_k);
  if (count < vocabulary)
    std::nth_element(candidates, candidates + count - 1, candidates + vocabulary, before);
  std::sort(candidates, candidates + count, before);

  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    candidates[i].value = std::exp(candidates[i].value);
    sum += double(candidates[i].value);
  }
  // The shortest prefix whose mass reaches top_p.
  if (settings_.top_p > 0 && settings_.top_p < 1) {
    const double wanted = sum * double(settings_.top_p);
    double mass = 0;
    int64_t kept = 0;
    while (kept < count && (kept == 0 || mass < wanted)) mass += double(candidates[kept++].value);
    count = kept;
    sum = mass;
  }
  // Relative to the largest, which is exp(0) = 1.
  if (settings_.min_p > 0) {
    while (count > 1 && candidates[count - 1].value < settings_.min_p)
      sum -= double(candidates[--count].value);
  }

  const double target = uniform(settings_.seed, draws_++) * sum;
  double mass = 0;
  for (int64_t i = 0; i < count; i++) {
    mass += double(candidates[i].value);
    if (mass > target) return candidates[i].id;
  }
  return candidates[count - 1].id;
}

}  // namespace exl
