#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "sampling/random.h"
#include "sampling/stages.h"

namespace exl {

namespace {

constexpr Stage kLogitStages[] = {penalties, bias, dry, masks};

// Top-k comes before the softmax, which does not change the order: so only k exponentials are
// computed, and tokens too improbable for a float are still told apart.
constexpr Stage kStages[] = {softmax,   top_p,         top_a,    min_p,
                             tail_free, typical,       mirostat, post_temperature,
                             xtc,       order_for_skew};

constexpr float kNoFloor = -std::numeric_limits<float>::infinity();

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

bool is_damaged(const float* logits, int64_t vocabulary) {
  bool finite = false;
  for (int64_t i = 0; i < vocabulary; i++) {
    if (std::isnan(logits[i]) || logits[i] == -kNoFloor) return true;
    finite = finite || logits[i] > kLowest;
  }
  return !finite;
}

}  // namespace

void order_for_skew(const StageContext& context, Candidates& list) {
  if (context.settings.skew != 0) list.sort();
}

Sampler::Sampler(SamplerSettings settings, Filters filters)
    : settings_(std::move(settings)), filters_(std::move(filters)) {
  if (settings_.mirostat.tau > 0) mirostat_mu_.push_back(2 * settings_.mirostat.tau);
}

void Sampler::feed(const std::vector<int32_t>& tokens) {
  if (!settings_.penalties.active() && settings_.dry.multiplier == 0) return;
  for (const int32_t token : tokens)
    if (token >= 0) history_.push_back(token);
}

void Sampler::rewind(uint64_t draws, std::vector<int32_t> banned) {
  banned_once_ = std::move(banned);
  if (draws >= draws_) return;
  if (!history_.empty()) history_.resize(history_.size() - size_t(draws_ - draws));
  if (!mirostat_mu_.empty()) mirostat_mu_.resize(size_t(draws) + 1);
  filters_.rewind(draws);
  draws_ = draws;
}

size_t Sampler::scratch_bytes(int64_t vocabulary) { return Candidates::scratch_bytes(vocabulary); }

bool Sampler::choose(Candidates& list, float floor) const {
  const double mu = mirostat_mu_.empty() ? 0 : mirostat_mu_.back();
  const StageContext context{settings_, filters_, history_, banned_once_, draws_, mu};
  clean(context, list);
  if (list.damaged) {
    list.count = 0;
    return floor == kNoFloor;
  }
  for (const Stage stage : kLogitStages) stage(context, list);
  if (list.count == 0) return floor == kNoFloor;
  // As a float too: it divides floats.
  if (float(settings_.temperature) == 0) {
    const float largest = list.largest();
    if (!(largest > floor)) return false;
    int64_t first = 0;
    while (list.values[first] != largest) first++;
    list.keep_only(first);
    list.values[0] = 1, list.sum = 1;
    return true;
  }
  if (floor != kNoFloor && list.count < settings_.top_k) return false;
  top_k(context, list);
  if (!(list.values[list.count - 1] > floor)) return false;
  for (const Stage stage : kStages) stage(context, list);
  return true;
}

Candidates Sampler::distribution(float* logits, int64_t vocabulary, std::byte* scratch) const {
  const int64_t ids =
      settings_.vocabulary > 0 ? std::min(vocabulary, settings_.vocabulary) : vocabulary;
  Candidates list(logits, ids, scratch);
  choose(list, kNoFloor);
  return list;
}

int32_t Sampler::draw(float* logits, int64_t vocabulary, std::byte* scratch) {
  return draw_from(distribution(logits, vocabulary, scratch));
}

int32_t Sampler::draw_from(const Candidates& list) {
  if (list.damaged) return kNotFinite;
  const double random = uniform(settings_.seed, Stream::Draw, draws_);
  if (list.count == 0) return kNoToken;
  draws_++;
  banned_once_.clear();
  const double skewed = settings_.skew == 0 ? random : std::pow(random, std::exp(-settings_.skew));
  const int64_t chosen = find(list, skewed * list.sum);
  if (!mirostat_mu_.empty()) {
    const auto& [tau, eta] = settings_.mirostat;
    const double surprise = -std::log2(double(list.values[chosen]) / list.sum);
    mirostat_mu_.push_back(mirostat_mu_.back() + eta * (tau - surprise));
  }
  feed({list.id(chosen)});
  filters_.advance(list.id(chosen));
  return list.id(chosen);
}

// What is not among the largest counts if all logits do, or if a stage may raise some.
bool Sampler::looks_below(const Largest& largest) const {
  const Penalties& set = settings_.penalties;
  const bool takes_all = float(settings_.temperature) != 0 &&
                         (settings_.top_k == 0 || settings_.top_k > largest.count);
  const bool raises = set.repetition < 1 || set.presence < 0 || set.frequency < 0 ||
                      settings_.dry.multiplier < 0 ||
                      std::any_of(
                          settings_.bias.begin(), settings_.bias.end(),
                          [](const Bias& bias) { return bias.value > 0; });
  const bool is_masked = filters_.active() || !settings_.allowed.empty() ||
                         (draws_ == 0 && !settings_.first_allowed.empty());
  return takes_all || raises || is_masked || settings_.guidance != 1 || settings_.observe.active();
}

std::optional<int32_t> Sampler::draw_largest(const Largest& largest) {
  const float floor = largest.values[largest.count - 1];
  // Logits that are bounded first have another order; those of a damaged model are looked at as a
  // whole.
  if (looks_below(largest) || !(largest.values[0] <= -kLowest && floor >= kLowest)) return {};
  std::vector<std::pair<int32_t, float>> ascending;
  for (int64_t i = 0; i < largest.count; i++)
    if (settings_.vocabulary == 0 || largest.ids[i] < settings_.vocabulary)
      ascending.emplace_back(largest.ids[i], largest.values[i]);
  std::sort(ascending.begin(), ascending.end());
  std::vector<int32_t> ids;
  std::vector<float> values;
  for (const auto& [id, value] : ascending) ids.push_back(id), values.push_back(value);
  std::vector<uint64_t> scratch(scratch_bytes(int64_t(ids.size())) / sizeof(uint64_t));
  Candidates list(values.data(), ids.data(), int64_t(ids.size()),
                  reinterpret_cast<std::byte*>(scratch.data()));
  if (!choose(list, floor)) return {};
  return draw_from(list);
}

int32_t Sampler::draw_observed(float* logits, int64_t vocabulary, std::byte* scratch) {
  const Observe& wanted = settings_.observe;
  if (!wanted.active()) return draw(logits, vocabulary, scratch);
  Observation seen = observe(wanted, logits, vocabulary);
  const std::vector<float> before = wanted.top >= 0 && !wanted.defer
                                        ? std::vector<float>(logits, logits + vocabulary)
                                        : std::vector<float>();
  if (wanted.defer)
    seen.id = is_damaged(logits, vocabulary) ? kNotFinite : kDeferred;
  else
    seen.id = draw(logits, vocabulary, scratch);
  if (!before.empty() && seen.id >= 0)
    seen.log_prob = log_prob_of(before.data(), vocabulary, seen.id);
  observations_.push_back(std::move(seen));
  return observations_.back().id;
}

}  // namespace exl
