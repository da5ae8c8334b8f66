#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sampling/random.h"
#include "sampling/stages.h"

namespace exl {

namespace {

constexpr Stage kLogitStages[] = {clean, penalties, bias, dry, masks};

// Top-k comes before the softmax, which does not change the order: so only k exponentials are
// computed, and tokens too improbable for a float are still told apart.
constexpr Stage kStages[] = {
    top_k,    softmax,          top_p, top_a,         min_p, tail_free, typical,
    mirostat, post_temperature, xtc,   order_for_skew};

// The candidate at `target` of the summed weights.
int64_t find(const Candidates& list, double target) {
  constexpr int64_t kBlock = 64;
  double mass = 0;
  for (int64_t i = 0; i < list.count; i += kBlock) {
    const int64_t end = std::min(i + kBlock, list.count);
    const double here = total(list.values + i, end - i);
    if (i + kBlock < list.count && mass + here <= target) {
      mass += here;
      continue;
    }
    for (int64_t k = i; k < end; k++) {
      mass += double(list.values[k]);
      if (mass > target && list.values[k] > 0) return k;
    }
  }
  // Rounding left the target out of reach.
  int64_t last = list.count - 1;
  while (last > 0 && list.values[last] == 0) last--;
  return last;
}

}  // namespace

void order_for_skew(const StageContext& context, Candidates& list) {
  if (context.settings.skew != 0) list.sort();
}

Sampler::Sampler(SamplerSettings settings)
    : settings_(std::move(settings)), mirostat_mu_(2 * settings_.mirostat.tau) {}

void Sampler::feed(const std::vector<int32_t>& tokens) {
  if (!settings_.penalties.active() && settings_.dry.multiplier == 0) return;
  for (const int32_t token : tokens)
    if (token >= 0) history_.push_back(token);
}

size_t Sampler::scratch_bytes(int64_t vocabulary) { return Candidates::scratch_bytes(vocabulary); }

Candidates Sampler::distribution(float* logits, int64_t vocabulary, std::byte* scratch) const {
  const StageContext context{settings_, history_, draws_, mirostat_mu_};
  const int64_t ids =
      settings_.vocabulary > 0 ? std::min(vocabulary, settings_.vocabulary) : vocabulary;
  Candidates list(logits, ids, scratch);
  for (const Stage stage : kLogitStages) stage(context, list);
  if (list.count == 0) return list;
  // As a float too: it divides floats.
  if (float(settings_.temperature) == 0) {
    const float largest = list.largest();
    int64_t first = 0;
    while (list.values[first] != largest) first++;
    list.keep_only(first);
    list.values[0] = 1, list.sum = 1;
    return list;
  }
  for (const Stage stage : kStages) stage(context, list);
  return list;
}

int32_t Sampler::draw(float* logits, int64_t vocabulary, std::byte* scratch) {
  const Candidates list = distribution(logits, vocabulary, scratch);
  const double random = uniform(settings_.seed, Stream::Draw, draws_++);
  if (list.count == 0) return -1;
  const double skewed = settings_.skew == 0 ? random : std::pow(random, std::exp(-settings_.skew));
  const int64_t chosen = find(list, skewed * list.sum);
  const Mirostat& mirostat_settings = settings_.mirostat;
  if (mirostat_settings.tau > 0) {
    const double surprise = -std::log2(double(list.values[chosen]) / list.sum);
    mirostat_mu_ += mirostat_settings.eta * (mirostat_settings.tau - surprise);
  }
  feed({list.id(chosen)});
  return list.id(chosen);
}

}  // namespace exl
