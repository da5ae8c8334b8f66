#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

struct Case {
  int rows, columns;
  int weight_rows = 1;
  float offset = 0;
  bool add = false, sum = false;
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
  std::vector<T> sum(count);
  std::memset(sum.data(), 0xff, count * sizeof(T));
  auto y = unset_halves(count);
  const cuda::RmsNormParams params{.x = x.data(),
                                   .add = c.add ? add.data() : nullptr,
                                   .sum = c.sum ? sum.data() : nullptr,
                                   .weight = weight.data(),
                                   .y = y.data(),
                                   .rows = c.rows,
                                   .columns = c.columns,
                                   .weight_rows = c.weight_rows,
                                   .eps = 1e-5f,
                                   .offset = c.offset,
                                   .type = sizeof(T) == 4 ? cuda::Type::F32 : cuda::Type::F16};
  check(cuda::rms_norm_refuses(params).empty(), what + " is not refused");
  cuda::rms_norm(nullptr, params);

  std::vector<double> expected(count), sums(count);
  for (int r = 0; r < c.rows; r++) {
    const size_t row = size_t(r) * size_t(c.columns);
    double squares = 0;
    for (size_t i = row; i < row + size_t(c.columns); i++) {
      sums[i] = value(x[i]);
      if (c.add) {
        const float exact = float(value(x[i]) + value(add[i]));
        sums[i] = sizeof(T) == 4 ? double(exact) : value(__float2half_rn(exact));
      }
      squares += sums[i] * sums[i];
    }
    const double scale = 1 / std::sqrt(squares / c.columns + 1e-5);
    for (int i = 0; i < c.columns; i++)
      expected[row + size_t(i)] =
          sums[row + size_t(i)] * scale *
          (value(weight[size_t(r % c.weight_rows * c.columns + i)]) + double(c.offset));
  }
  // The sum of squares is the only long sum; a handful of operations follow, and one rounding.
  const double relative = kHalfUlp + (c.columns + 8) * kFloatUlp;
  compare(
      y, expected, [&](size_t i) { return std::abs(expected[i]) * relative + kHalfTiny; }, what);
  if (c.sum) compare(sum, sums, [](size_t) { return 0.0; }, what + ", its sum");

  // A row alone gives what it gave among others.
  if (c.rows < 2 || c.weight_rows > 1) return;
  auto alone = unset_halves(size_t(c.columns));
  cuda::RmsNormParams last = params;
  const size_t skip = count - size_t(c.columns);
  last.x = x.data() + skip;
  if (c.add) last.add = add.data() + skip;
  last.sum = nullptr;
  last.y = alone.data();
  last.rows = 1;
  cuda::rms_norm(nullptr, last);
  check(same_bits(alone, {y.begin() + std::ptrdiff_t(skip), y.end()}), what + ", a row alone");
}

}  // namespace

void rms_norm_test() {
  for (const int columns : {1, 31, 64, 100, 1000, 1024, 1032, 4096})
    for (const int rows : {1, 3}) {
      const std::string what =
          "rms_norm of " + std::to_string(rows) + " x " + std::to_string(columns);
      run<half>({rows, columns, 1, 0, false, false}, what);
      run<float>({rows, columns, 1, 1, true, true}, what + " floats, with a sum");
    }
  run<half>({6, 128, 3, 0, false, false}, "rms_norm by heads");
  run<half>({5, 256, 1, 0, true, true}, "rms_norm of halves, with a sum");
  check(!cuda::rms_norm_refuses({.x = nullptr,
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
