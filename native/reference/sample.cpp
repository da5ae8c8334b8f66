#include "ops/sample.h"

#include <algorithm>
#include <cmath>

#include "reference/reference.h"
#include "sampling/step.h"

namespace exl::reference {

namespace {

size_t row_bytes(int64_t columns) { return (size_t(columns) * sizeof(float) + 63) / 64 * 64; }

size_t sample_scratch(const Backend&, const Call& call) {
  const int64_t padded = SampleCall(call).logits.columns();
  return 2 * row_bytes(padded) + Sampler::scratch_bytes(padded);
}

// Sampling is the same for every backend: in fp32, over logits that were exact before.
void sample(Backend&, const Call& call, const Run& run) {
  const SampleCall op(call);
  const int64_t padded = op.logits.columns(), vocabulary = std::min(padded, op.vocabulary);
  const DrawStep step{run.samplers, op.tokens.as<int32_t>(), op.outputs.as<int32_t>(),
                      op.ids.as<int32_t>()};
  for (const size_t first : draw_groups(step))
    draw_group(step, first, vocabulary, run.scratch + 2 * row_bytes(padded), {[&](size_t i) {
                 // A place has two outputs at most, and needs both at once.
                 auto* row =
                     reinterpret_cast<float*>(run.scratch + (i - first) % 2 * row_bytes(padded));
                 const double* from = op.logits.as<double>() + int64_t(i) * padded;
                 for (int64_t n = 0; n < vocabulary; n++) row[n] = float(from[n]);
                 return row;
               }});
}

void token_log_prob(Backend&, const Call& call, const Run&) {
  const TokenLogProbCall op(call);
  const int64_t padded = op.logits.columns(), vocabulary = std::min(padded, op.vocabulary);
  for (int64_t r = 0; r < op.logits.rows(); r++) {
    const double* row = op.logits.as<double>() + r * padded;
    const double most = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (int64_t n = 0; n < vocabulary; n++) sum += std::exp(row[n] - most);
    op.y.as<double>()[r] = row[op.targets.as<int32_t>()[r]] - most - std::log(sum);
  }
}

constexpr Kernel kKernels[] = {
    {.op = &ops::sample, .name = "reference", .scratch = sample_scratch, .run = sample},
    {.op = &ops::token_log_prob, .name = "reference", .run = token_log_prob},
};

}  // namespace

constinit const Kernels sample_kernels = kKernels;

}  // namespace exl::reference
