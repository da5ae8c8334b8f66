#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

struct Case {
  int rows, columns;
  int weight_rows = 1;
  float offset = 0;
  bool add = false, sum = false;
  bool centred = false, bias = false;
};

template <typename T>
void run(const Case& c, const std::string& what) {
  Random random(7);
  const size_t count = size_t(c.rows) * size_t(c.columns);
  std::vector<T> x;
  if constexpr (sizeof(T) == 4)
    x = random.floats(count, 3);
  else
    x = random.halves(count, 3);
  const auto add = random.halves(count);
  const auto weight = random.halves(size_t(c.weight_rows) * size_t(c.columns));
  const auto bias = random.halves(size_t(c.columns));
  // A mean many times what varies around it.
  if (c.centred) {
    for (T& element : x) {
      if constexpr (sizeof(T) == 4)
        element += 100;
      else
        element = __float2half_rn(float(value(element)) + 100);
    }
  }
  std::vector<T> sum(count);
  std::memset(sum.data(), 0xff, count * sizeof(T));
  auto y = unset_halves(count);
  const cuda::NormParams params{.x = x.data(),
                                .add = c.add ? add.data() : nullptr,
                                .sum = c.sum ? sum.data() : nullptr,
                                .weight = weight.data(),
                                .bias = c.bias ? bias.data() : nullptr,
                                .y = y.data(),
                                .rows = c.rows,
                                .columns = c.columns,
                                .weight_rows = c.weight_rows,
                                .eps = 1e-5f,
                                .offset = c.offset,
                                .centred = c.centred,
                                .type = sizeof(T) == 4 ? cuda::Type::F32 : cuda::Type::F16};
  check(cuda::norm_refuses(params).empty(), what + " is not refused");
  emulate([&] { cuda::norm(nullptr, params); }, x, add);

  std::vector<double> expected(count), sums(count), lost(count);
  for (int r = 0; r < c.rows; r++) {
    const size_t row = size_t(r) * size_t(c.columns);
    double mean = 0, squares = 0;
    for (size_t i = row; i < row + size_t(c.columns); i++) {
      sums[i] = value(x[i]);
      if (c.add) {
        const float exact = float(value(x[i]) + value(add[i]));
        sums[i] = sizeof(T) == 4 ? double(exact) : value(__float2half_rn(exact));
      }
      if (c.centred) mean += sums[i] / c.columns;
    }
    for (size_t i = row; i < row + size_t(c.columns); i++)
      squares += (sums[i] - mean) * (sums[i] - mean);
    const double scale = 1 / std::sqrt(squares / c.columns + 1e-5);
    for (int i = 0; i < c.columns; i++) {
      const size_t at = row + size_t(i);
      const double factor =
          scale * (value(weight[size_t(r % c.weight_rows * c.columns + i)]) + double(c.offset));
      const double added = c.bias ? value(bias[size_t(i)]) : 0;
      expected[at] = (sums[at] - mean) * factor + added;
      // No fewer than 64 threads take part of a row; what they get wrong of a mean is lost to all.
      lost[at] = std::abs(mean * factor) * (c.columns / 64 + 12) * kFloatUlp +
                 std::abs(added) * 2 * kFloatUlp;
    }
  }
  // The sum of squares is the only long sum; a handful of operations follow, and one rounding.
  const double relative = kHalfUlp + (c.columns + 8) * kFloatUlp;
  compare(
      y, expected, [&](size_t i) { return std::abs(expected[i]) * relative + lost[i] + kHalfTiny; },
      what);
  if (c.sum) compare(sum, sums, [](size_t) { return 0.0; }, what + ", its sum");

  // A row alone gives what it gave among others.
  if (c.rows < 2 || c.weight_rows > 1) return;
  auto alone = unset_halves(size_t(c.columns));
  cuda::NormParams last = params;
  const size_t skip = count - size_t(c.columns);
  last.x = x.data() + skip;
  if (c.add) last.add = add.data() + skip;
  last.sum = nullptr;
  last.y = alone.data();
  last.rows = 1;
  emulate([&] { cuda::norm(nullptr, last); }, x, add);
  check(same_bits(alone, {y.begin() + std::ptrdiff_t(skip), y.end()}), what + ", a row alone");
}

}  // namespace

void norm_test() {
  for (const int columns : {1, 31, 64, 100, 1000, 1024, 1032, 4096})
    for (const int rows : {1, 3}) {
      const std::string what =
          "rms_norm of " + std::to_string(rows) + " x " + std::to_string(columns);
      run<half>({rows, columns, 1, 0, false, false}, what);
      run<float>({rows, columns, 1, 1, true, true}, what + " floats, with a sum");
    }
  run<half>({6, 128, 3, 0, false, false}, "rms_norm by heads");
  run<half>({5, 256, 1, 0, true, true}, "rms_norm of halves, with a sum");
  for (const int columns : {1, 31, 64, 1000, 1024, 4096}) {
    const std::string what = "layer_norm of " + std::to_string(columns);
    run<half>({3, columns, 1, 0, false, false, true, true}, what);
    run<float>({3, columns, 1, 0, true, true, true, columns > 64}, what + " floats, with a sum");
  }
  check(!cuda::norm_refuses({.x = nullptr,
                             .weight = nullptr,
                             .y = nullptr,
                             .rows = 5,
                             .columns = 8,
                             .weight_rows = 2,
                             .eps = 0})
             .empty(),
        "rms_norm refuses rows that its weights do not divide");
}

}  // namespace exl::test
