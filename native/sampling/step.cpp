#include "sampling/step.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace exl {

namespace {

// Classifier-free guidance (Sanchez et al., arXiv:2306.17806): scale * log p + (1 - scale) * log q.
void guide(float* logits, const float* away, double scale, int64_t vocabulary) {
  // A token that is never drawn must not become NaN by being so in both.
  const auto finite = [](float logit) {
    return double(logit == -std::numeric_limits<float>::infinity() ? kLowest : logit);
  };
  const auto log_sum = [&](const float* row) {
    const double most = double(*std::max_element(row, row + vocabulary));
    double sum = 0;
    for (int64_t i = 0; i < vocabulary; i++) sum += std::exp(double(row[i]) - most);
    return most + std::log(sum);
  };
  const double ours = log_sum(logits), theirs = log_sum(away);
  for (int64_t i = 0; i < vocabulary; i++)
    logits[i] =
        float(scale * (finite(logits[i]) - ours) + (1 - scale) * (finite(away[i]) - theirs));
}

}  // namespace

std::vector<size_t> draw_groups(const DrawStep& step) {
  std::vector<size_t> groups;
  for (size_t i = 0; i < step.samplers.size(); i++)
    if (i == 0 || step.samplers[i] != step.samplers[i - 1]) groups.push_back(i);
  return groups;
}

void draw_group(const DrawStep& step, size_t first, int64_t vocabulary, std::byte* scratch,
                const DrawLogits& logits) {
  Sampler& sampler = *step.samplers[first];
  const size_t stride = sampler.guidance() == 1 ? 1 : 2;
  size_t end = first;
  while (end < step.samplers.size() && step.samplers[end] == step.samplers[first])
    step.ids[end++] = kNotDrawn;

  const auto draw = [&](size_t at) {
    if (logits.largest)
      if (const auto drawn = sampler.draw_largest(logits.largest(at))) return *drawn;
    float* const row = logits.all(at);
    if (stride == 2) guide(row, logits.all(at + 1), sampler.guidance(), vocabulary);
    return sampler.draw_observed(row, vocabulary, scratch);
  };
  for (size_t at = first; at + stride <= end; at += stride) {
    const int32_t drawn = draw(at);
    std::fill_n(step.ids + at, stride, drawn);
    const size_t next = at + stride;
    if (next >= end || step.tokens[step.outputs[next]] != drawn) return;
  }
}

}  // namespace exl
