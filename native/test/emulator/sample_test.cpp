#include <algorithm>
#include <numeric>

#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

// Logits in steps of `step`, so that there are equals if it is large; the padding would win. The
// first `favoured` of 1,024 are larger by 50: a block has as many threads.
void sample_case(int rows, int vocabulary, int padded, int k, float step, float offset,
                 int favoured = 0) {
  Random random(31);
  std::vector<float> logits(size_t(rows) * size_t(padded), 1e30f);
  std::vector<int32_t> targets, best, order_of;
  std::vector<double> log_probs, log_sums, values;
  for (int r = 0; r < rows; r++) {
    float* row = &logits[size_t(r) * size_t(padded)];
    for (int i = 0; i < vocabulary; i++)
      row[i] = std::round(random.normal() * 4 / step) * step + offset +
               (i % 1024 < favoured ? 50.0f : 0.0f);
    std::vector<int32_t> order(static_cast<size_t>(vocabulary));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
    best.push_back(order[0]);
    for (int i = 0; i < k; i++) {
      order_of.push_back(order[size_t(i)]);
      values.push_back(double(row[order[size_t(i)]]));
    }
    double sum = 0;
    for (int i = 0; i < vocabulary; i++) sum += std::exp(double(row[i]) - double(row[order[0]]));
    targets.push_back(random.below(vocabulary));
    log_sums.push_back(double(row[order[0]]) + std::log(sum));
    log_probs.push_back(double(row[targets.back()]) - log_sums.back());
  }
  const cuda::LogitRows in{logits.data(), rows, padded, vocabulary};
  std::vector<int32_t> ids(size_t(rows), -1), top_ids(size_t(rows * k), -1);
  auto top = unset_floats(size_t(rows * k)), y = unset_floats(size_t(rows)), sums = y;
  const cuda::TopKParams params{in, k, top.data(), top_ids.data(), sums.data()};
  const std::string what = " of " + std::to_string(vocabulary) + ", k " + std::to_string(k);
  check(cuda::top_k_refuses(params).empty(), "top_k is not refused" + what);
  emulate(
      [&] {
        cuda::arg_max(nullptr, {in, ids.data()});
        cuda::token_log_prob(nullptr, {in, targets.data(), y.data()});
        cuda::top_k(nullptr, params);
      },
      logits);
  check(ids == best, "arg_max" + what);
  check(top_ids == order_of, "ids of top_k" + what);
  compare(top, values, [](size_t) { return 0.0; }, "values of top_k" + what);
  // A sum of `vocabulary` terms, each within 2 ulps, and the roundings of a few steps at the size
  // of the largest number there is on the way.
  const double sum_error = (vocabulary + 8) * kFloatUlp, size = 90 + std::abs(double(offset));
  const auto bound = [&](size_t) { return sum_error + 4 * size * kFloatUlp; };
  compare(y, log_probs, bound, "token_log_prob" + what);
  compare(sums, log_sums, bound, "log_sum of top_k" + what);
}

}  // namespace

void sample_test() {
  sample_case(2, 1, 8, 1, 1e-6f, 0);
  sample_case(3, 50, 64, 50, 1, 0);
  sample_case(2, 5000, 5024, 40, 1e-6f, -100);
  sample_case(2, 5000, 5000, 1000, 0.5f, 100);
  sample_case(1, 40960, 40960, 256, 1e-3f, 0, 64);  // more candidates than there is room for
  if (full) sample_case(1, 50000, 50016, 1024, 1e-3f, 0);
  check(!cuda::top_k_refuses({{nullptr, 1, 8, 8}, 9, nullptr, nullptr}).empty(),
        "top_k of more than there are is refused");
}

}  // namespace exl::test
