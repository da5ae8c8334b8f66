#include "sampling/observation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sampling/candidates.h"

namespace exl {

namespace {

// ln of the sum of exp(logit).
double log_sum(const float* logits, int64_t vocabulary) {
  double most = double(kLowest);
  for (int64_t i = 0; i < vocabulary; i++) most = std::max(most, double(bounded(logits[i])));
  double sum = 0;
  for (int64_t i = 0; i < vocabulary; i++) sum += std::exp(double(bounded(logits[i])) - most);
  return most + std::log(sum);
}

}  // namespace

Observation observe(const Observe& wanted, const float* logits, int64_t vocabulary) {
  Observation seen;
  if (wanted.logits || wanted.defer) seen.logits.assign(logits, logits + vocabulary);
  const int64_t top = std::min(wanted.top, vocabulary);
  if (top <= 0) return seen;

  std::vector<int32_t> ids(static_cast<size_t>(vocabulary));
  std::iota(ids.begin(), ids.end(), 0);
  const auto first = [&](int32_t a, int32_t b) {
    return order_key(bounded(logits[a]), a) > order_key(bounded(logits[b]), b);
  };
  std::partial_sort(ids.begin(), ids.begin() + top, ids.end(), first);
  const double total = log_sum(logits, vocabulary);
  for (int64_t i = 0; i < top; i++) {
    seen.top_ids.push_back(ids[size_t(i)]);
    seen.top_log_probs.push_back(float(double(bounded(logits[ids[size_t(i)]])) - total));
  }
  return seen;
}

float log_prob_of(const float* logits, int64_t vocabulary, int32_t id) {
  return float(double(bounded(logits[id])) - log_sum(logits, vocabulary));
}

}  // namespace exl
