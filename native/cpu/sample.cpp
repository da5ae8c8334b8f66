#include "ops/sample.h"

#include <algorithm>
#include <cmath>

#include "cpu/backend.h"
#include "sampling/step.h"

namespace exl::cpu {

namespace {

size_t sample_scratch(const Backend&, const Call& call) {
  const SampleCall op(call);
  const int64_t vocabulary = std::min(op.logits.columns(), op.vocabulary);
  return size_t(op.logits.rows()) * Sampler::scratch_bytes(vocabulary);
}

void sample(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const SampleCall op(call);
  const Tensor& logits = op.logits;
  const int64_t vocabulary = std::min(logits.columns(), op.vocabulary);
  const DrawStep step{run.samplers, op.tokens.as<int32_t>(), op.outputs.as<int32_t>(),
                      op.ids.as<int32_t>()};
  const std::vector<size_t> groups = draw_groups(step);
  cpu.pool.parallel(int64_t(groups.size()), [&](int64_t g, int) {
    const size_t first = groups[size_t(g)];
    draw_group(step, first, vocabulary, run.scratch + first * Sampler::scratch_bytes(vocabulary),
               {[&](size_t i) { return logits.as<float>() + int64_t(i) * logits.columns(); }});
  });
}

void token_log_prob(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const TokenLogProbCall op(call);
  const Tensor& logits = op.logits;
  const int64_t vocabulary = std::min(logits.columns(), op.vocabulary);
  cpu.pool.parallel(logits.rows(), [&](int64_t r, int) {
    const float* row = logits.as<float>() + r * logits.columns();
    const float most = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (int64_t n = 0; n < vocabulary; n++) sum += double(std::exp(row[n] - most));
    op.y.as<float>()[r] = float(double(row[op.targets.as<int32_t>()[r]] - most) - std::log(sum));
  });
}

constexpr Kernel kKernels[] = {
    {.op = &ops::sample, .name = "cpu", .scratch = sample_scratch, .run = sample},
    {.op = &ops::token_log_prob, .name = "cpu", .run = token_log_prob},
};

}  // namespace

constinit const Kernels sample_kernels = kKernels;

}  // namespace exl::cpu
