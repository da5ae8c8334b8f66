#include <numeric>

#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

using cuda::Type;

double rounding(double x) { return std::abs(x) * kHalfUlp + kHalfTiny; }

template <typename T>
constexpr Type type_of() {
  return sizeof(T) == 4 ? Type::F32 : Type::F16;
}

template <typename T>
std::vector<T> random_of(Random& random, size_t count) {
  if constexpr (sizeof(T) == 4)
    return random.floats(count);
  else
    return random.halves(count);
}

template <typename T>
void add_case(size_t count) {
  Random random(1);
  auto a = random_of<T>(random, count);
  const auto b = random.halves(count);
  std::vector<double> expected(count);
  for (size_t i = 0; i < count; i++) expected[i] = value(a[i]) + value(b[i]);
  // In place, as the residual stream is updated.
  emulate([&] { cuda::add(nullptr, {a.data(), b.data(), a.data(), int64_t(count), type_of<T>()}); },
          a, b);
  compare(
      a, expected,
      [&](size_t i) {
        return sizeof(T) == 4 ? std::abs(expected[i]) * kFloatUlp : rounding(expected[i]);
      },
      "add of " + std::to_string(count));
}

void silu_mul_case(int rows, int columns, int stride) {
  Random random(2);
  const auto both = random.halves(size_t(rows) * size_t(stride) * 2, 3);
  const half *gate = both.data(), *up = both.data() + columns;
  const int64_t apart = 2 * stride;
  auto y = unset_halves(size_t(rows) * size_t(columns));
  emulate([&] { cuda::silu_mul(nullptr, {gate, up, y.data(), rows, columns, apart}); }, both);
  std::vector<double> expected(y.size());
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      const double g = value(gate[r * apart + c]);
      expected[size_t(r * columns + c)] = g / (1 + std::exp(-g)) * value(up[r * apart + c]);
    }
  // The fast exponential is within 2 + |g| ulps, and |g| stays below 16.
  compare(
      y, expected,
      [&](size_t i) { return rounding(expected[i]) + std::abs(expected[i]) * 24 * kFloatUlp; },
      "silu_mul of " + std::to_string(rows) + " x " + std::to_string(columns));
}

void rows_case(int columns) {
  Random random(3);
  const auto table = random.halves(size_t(10 * columns));
  const std::vector<int32_t> index = {3, 9, 0, 3};
  const size_t count = index.size() * size_t(columns);
  auto embedded = unset_halves(count), gathered = unset_halves(count);
  auto wide = unset_floats(count);
  emulate(
      [&] {
        cuda::embed(nullptr, {index.data(), table.data(), embedded.data(), 4, columns, Type::F16});
        cuda::embed(nullptr, {index.data(), table.data(), wide.data(), 4, columns, Type::F32});
        cuda::gather_rows(nullptr,
                          {table.data(), index.data(), gathered.data(), 4, columns, Type::F16});
      },
      table);
  std::vector<double> expected;
  for (const int32_t row : index)
    for (int c = 0; c < columns; c++) expected.push_back(value(table[size_t(row * columns + c)]));
  const auto exact = [](size_t) { return 0.0; };
  const std::string size = " of " + std::to_string(columns) + " columns";
  compare(embedded, expected, exact, "embed" + size);
  compare(wide, expected, exact, "embed to floats" + size);
  compare(gathered, expected, exact, "gather_rows" + size);
}

void to_half_case(size_t count) {
  Random random(4);
  const auto wide = random.floats(count, 1e-3f);
  std::vector<uint16_t> narrow(count);
  std::vector<double> expected(count), expected_narrow(count);
  for (size_t i = 0; i < count; i++) {
    narrow[i] = uint16_t(__float_as_uint(wide[i]) >> 16);
    expected[i] = double(round_to_half(wide[i]));
    expected_narrow[i] = double(round_to_half(bfloat_to_float(narrow[i])));
  }
  auto y = unset_halves(count), z = unset_halves(count);
  emulate(
      [&] {
        cuda::to_half(nullptr, {wide.data(), y.data(), int64_t(count), Type::F32});
        cuda::to_half(nullptr, {narrow.data(), z.data(), int64_t(count), Type::BF16});
      },
      wide, narrow);
  const auto exact = [](size_t) { return 0.0; };
  compare(y, expected, exact, "floats to halves");
  compare(z, expected_narrow, exact, "bfloats to halves");
}

void copy_pages_case() {
  std::vector<uint32_t> pages(5 * 1200);
  std::iota(pages.begin(), pages.end(), 0u);
  const std::vector<int32_t> from = {4, 0}, to = {1, 3};
  emulate([&] { cuda::copy_pages(nullptr, {pages.data(), from.data(), to.data(), 2, 4800}); },
          pages);
  bool right = true;
  const uint32_t now[] = {0, 4, 2, 0, 4};
  for (uint32_t i = 0; i < pages.size(); i++)
    right = right && pages[i] == now[i / 1200] * 1200 + i % 1200;
  check(right, "copy_pages");
}

}  // namespace

void elementwise_test() {
  for (const size_t count : {size_t(1), size_t(255), size_t(4096), size_t(5000)}) {
    add_case<half>(count);
    add_case<float>(count);
    to_half_case(count);
  }
  silu_mul_case(1, 1, 1);
  silu_mul_case(3, 31, 31);
  silu_mul_case(3, 1000, 1000);
  silu_mul_case(2, 60, 64);
  for (const int columns : {1, 30, 64, 2056}) rows_case(columns);
  copy_pages_case();
}

}  // namespace exl::test
