#include <algorithm>
#include <cmath>

#include "cpu/backend.h"
#include "sampling/step.h"

namespace exl::cpu {

namespace {

int64_t vocabulary_of(const Call& call) {
  return std::min(call.in(0).columns(), int64_t(call.attribute("vocabulary")));
}

}  // namespace

size_t sample_scratch(const Backend&, const Call& call) {
  return size_t(call.in(0).rows()) * Sampler::scratch_bytes(vocabulary_of(call));
}

void sample(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const Tensor& logits = call.in(0);
  const int64_t vocabulary = vocabulary_of(call);
  const DrawStep step{run.samplers, call.in(2).as<int32_t>(), call.in(3).as<int32_t>(),
                      call.out().as<int32_t>()};
  const std::vector<size_t> groups = draw_groups(step);
  cpu.pool.parallel(int64_t(groups.size()), [&](int64_t g, int) {
    const size_t first = groups[size_t(g)];
    draw_group(step, first, vocabulary, run.scratch + first * Sampler::scratch_bytes(vocabulary),
               {[&](size_t i) { return logits.as<float>() + int64_t(i) * logits.columns(); }});
  });
}

void token_log_prob(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const Tensor& logits = call.in(0);
  const int64_t vocabulary = vocabulary_of(call);
  cpu.pool.parallel(logits.rows(), [&](int64_t r, int) {
    const float* row = logits.as<float>() + r * logits.columns();
    const float most = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (int64_t n = 0; n < vocabulary; n++) sum += double(std::exp(row[n] - most));
    call.out().as<float>()[r] =
        float(double(row[call.in(1).as<int32_t>()[r]] - most) - std::log(sum));
  });
}

}  // namespace exl::cpu
