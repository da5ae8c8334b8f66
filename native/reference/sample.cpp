#include <algorithm>
#include <cmath>

#include "reference/reference.h"
#include "sampling/step.h"

namespace exl::reference {

namespace {

size_t row_bytes(int64_t columns) { return (size_t(columns) * sizeof(float) + 63) / 64 * 64; }

}  // namespace

size_t sample_scratch(const Backend&, const Call& call) {
  const int64_t padded = call.in(0).columns();
  return 2 * row_bytes(padded) + Sampler::scratch_bytes(padded);
}

// Sampling is the same for every backend: in fp32, over logits that were exact before.
void sample(Backend&, const Call& call, const Run& run) {
  const Tensor& logits = call.in(0);
  const int64_t padded = logits.columns();
  const int64_t vocabulary = std::min(padded, int64_t(call.attribute("vocabulary")));
  const DrawStep step{run.samplers, call.in(2).as<int32_t>(), call.in(3).as<int32_t>(),
                      call.out().as<int32_t>()};
  for (const size_t first : draw_groups(step))
    draw_group(step, first, vocabulary, run.scratch + 2 * row_bytes(padded), {[&](size_t i) {
                 // A place has two outputs at most, and needs both at once.
                 auto* row =
                     reinterpret_cast<float*>(run.scratch + (i - first) % 2 * row_bytes(padded));
                 const double* from = logits.as<double>() + int64_t(i) * padded;
                 for (int64_t n = 0; n < vocabulary; n++) row[n] = float(from[n]);
                 return row;
               }});
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
