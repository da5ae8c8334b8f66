#include <algorithm>
#include <cmath>

#include "reference/reference.h"
#include "sampling/sampler.h"

namespace exl::reference {

void sample(Backend&, const Call& call, const Run& run) {
  const Tensor &logits = call.in(0), &ids = call.out();
  const int64_t padded = logits.columns();
  const int64_t vocabulary = std::min(padded, int64_t(call.attribute("vocabulary")));
  std::vector<float> row(size_t(vocabulary), 0.0f);
  for (size_t i = 0; i < run.samplers.size(); i++) {
    const double* from = logits.as<double>() + int64_t(i) * padded;
    for (int64_t n = 0; n < vocabulary; n++) row[size_t(n)] = float(from[n]);
    ids.as<int32_t>()[i] = run.samplers[i]->draw(row.data(), vocabulary);
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
