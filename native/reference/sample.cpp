#include <algorithm>
#include <cmath>

#include "reference/reference.h"
#include "sampling/sampler.h"

namespace exl::reference {

size_t sample_scratch(const Backend&, const Call& call) {
  const int64_t padded = call.in(0).columns();
  return size_t(padded) * sizeof(float) + Sampler::scratch_bytes(padded) + 64;
}

// Sampling is the same for every backend: in fp32, over logits that were exact before.
void sample(Backend&, const Call& call, const Run& run) {
  const Tensor &logits = call.in(0), &ids = call.out();
  const int64_t padded = logits.columns();
  const int64_t vocabulary = std::min(padded, int64_t(call.attribute("vocabulary")));
  auto* row = reinterpret_cast<float*>(run.scratch);
  std::byte* rest = run.scratch + (size_t(padded) * sizeof(float) + 63) / 64 * 64;
  for (size_t i = 0; i < run.samplers.size(); i++) {
    const double* from = logits.as<double>() + int64_t(i) * padded;
    for (int64_t n = 0; n < vocabulary; n++) row[n] = float(from[n]);
    ids.as<int32_t>()[i] = run.samplers[i]->draw(row, vocabulary, rest);
  }
}

void token_log_prob(Backend&, const Call& call, const Run&) {
  const Tensor &logits = call.in(0), &targets = call.in(1), &y = call.out();
  const int64_t padded = logits.columns();
  const int64_t vocabulary = std::min(padded, int64_t(call.attribute("vocabulary")));
  for (int64_t r = 0; r < logits.rows(); r++) {
    const double* row = logits.as<double>() + r * padded;
    const double most = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (int64_t n = 0; n < vocabulary; n++) sum += std::exp(row[n] - most);
    y.as<double>()[r] = row[targets.as<int32_t>()[r]] - most - std::log(sum);
  }
}

}  // namespace exl::reference
