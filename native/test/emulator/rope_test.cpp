#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

void angles_case() {
  const std::vector<int32_t> positions = {0, 1, 255, 131071, 1000000};
  std::vector<float> frequencies(33);
  for (size_t i = 0; i < frequencies.size(); i++)
    frequencies[i] = float(std::pow(10000.0, -double(i) / 33));
  std::vector<double> expected;
  for (const int32_t position : positions)
    for (const float frequency : frequencies) {
      expected.push_back(1.25 * std::cos(double(position) * double(frequency)));
      expected.push_back(1.25 * std::sin(double(position) * double(frequency)));
    }
  auto y = unset_floats(expected.size());
  emulate(
      [&] {
        cuda::rope_angles(nullptr, {positions.data(), frequencies.data(), y.data(), 5, 33, 1.25f});
      },
      positions);
  // A reduced angle is at most pi, rounded once; the functions are within 2 ulps, and so the scale.
  compare(y, expected, [](size_t) { return 1.25 * (3.15 + 3) * kFloatUlp; }, "rope_angles");
}

struct Case {
  int rows, heads, key_heads, dim, pairs;
  bool interleaved, gaps;
};

void rope_case(const Case& c) {
  Random random(5);
  const size_t rows = size_t(c.rows), dim = size_t(c.dim);
  const size_t q_width = size_t(c.heads) * dim, k_width = size_t(c.key_heads) * dim;
  const size_t gap = c.gaps ? 5 : 0;
  const auto q = random.halves(rows * (q_width + gap)), k = random.halves(rows * (k_width + gap)),
             v = random.halves(rows * (k_width + gap));
  const auto angles = random.floats(rows * size_t(c.pairs) * 2);
  std::vector<int32_t> positions(rows), sequences(rows);
  for (size_t r = 0; r < rows; r++) {
    sequences[r] = int32_t(r % 2);
    positions[r] = int32_t(250 + 3 * r);  // over the edge of a page
  }
  const std::vector<int32_t> table = {3, 0, 1, 2};
  const size_t page = 256 * k_width;
  auto q_rotated = unset_halves(rows * q_width), k_rotated = unset_halves(rows * k_width),
       keys = unset_halves(4 * page), values = unset_halves(4 * page);
  cuda::RopeCacheWriteParams params{.q = q.data(),
                                    .q_rotated = q_rotated.data(),
                                    .k = k.data(),
                                    .k_rotated = k_rotated.data(),
                                    .v = v.data(),
                                    .q_stride = int64_t(q_width + gap),
                                    .k_stride = int64_t(k_width + gap),
                                    .rows = c.rows,
                                    .heads = c.heads,
                                    .key_heads = c.key_heads,
                                    .dim = c.dim,
                                    .angles = angles.data(),
                                    .pairs = c.pairs,
                                    .interleaved = c.interleaved,
                                    .cache = {keys.data(), values.data(), c.key_heads, c.dim},
                                    .step = {positions.data(), sequences.data(), table.data(), 2}};
  const std::string what = "rope of heads of " + std::to_string(c.dim);
  check(cuda::rope_cache_write_refuses(params).empty(), what + " is not refused");
  emulate([&] { cuda::rope_cache_write(nullptr, params); }, q, k, v, angles);

  const auto rotated = [&](const std::vector<half>& x, size_t width, std::vector<double>& bound) {
    std::vector<double> y(rows * width);
    bound.resize(y.size());
    for (size_t r = 0; r < rows; r++)
      for (size_t h = 0; h < width / dim; h++) {
        const half* from = x.data() + r * (width + gap) + h * dim;
        const size_t to = r * width + h * dim;
        for (size_t i = 0; i < dim; i++) y[to + i] = value(from[i]);
        for (size_t i = 0; i < size_t(c.pairs); i++) {
          const size_t a = c.interleaved ? 2 * i : i;
          const size_t b = c.interleaved ? a + 1 : i + size_t(c.pairs);
          const float* angle = &angles[(r * size_t(c.pairs) + i) * 2];
          const double cosine = double(angle[0]), sine = double(angle[1]);
          y[to + a] = value(from[a]) * cosine - value(from[b]) * sine;
          y[to + b] = value(from[b]) * cosine + value(from[a]) * sine;
          // Three roundings to float of terms that may cancel, and one to half.
          const double size = std::abs(value(from[a])) + std::abs(value(from[b]));
          for (const size_t at : {to + a, to + b})
            bound[at] = std::abs(y[at]) * kHalfUlp + kHalfTiny +
                        3 * kFloatUlp * size * (std::abs(cosine) + std::abs(sine));
        }
      }
    return y;
  };
  std::vector<double> q_bound, k_bound;
  const auto expected_q = rotated(q, q_width, q_bound), expected_k = rotated(k, k_width, k_bound);
  compare(q_rotated, expected_q, [&](size_t i) { return q_bound[i]; }, what + ", queries");
  compare(k_rotated, expected_k, [&](size_t i) { return k_bound[i]; }, what + ", keys");

  // The cache holds the very bits, at the right places, and nothing else was touched.
  auto expected_keys = unset_halves(4 * page), expected_values = unset_halves(4 * page);
  for (size_t r = 0; r < rows; r++)
    for (size_t h = 0; h < size_t(c.key_heads); h++)
      for (size_t i = 0; i < dim; i++) {
        const size_t position = size_t(positions[r]);
        const size_t at = size_t(table[size_t(sequences[r]) * 2 + position / 256]) * page +
                          (h * 256 + position % 256) * dim + i;
        expected_keys[at] = k_rotated[r * k_width + h * dim + i];
        expected_values[at] = v[r * (k_width + gap) + h * dim + i];
      }
  check(same_bits(keys, expected_keys), what + ", cached keys");
  check(same_bits(values, expected_values), what + ", cached values");

  // Each half on its own, as an unfused program runs it.
  auto q_alone = unset_halves(rows * q_width), keys_alone = unset_halves(4 * page),
       values_alone = unset_halves(4 * page);
  cuda::RopeCacheWriteParams rope_only = params, write_only = params;
  rope_only.k = rope_only.v = nullptr;
  rope_only.cache = {};
  rope_only.q_rotated = q_alone.data();
  emulate([&] { cuda::rope_cache_write(nullptr, rope_only); }, q, angles);
  check(same_bits(q_alone, q_rotated), what + ", queries alone");
  if (c.gaps) return;
  write_only.q = nullptr;
  write_only.k = k_rotated.data();
  write_only.k_rotated = nullptr;
  write_only.angles = nullptr;
  write_only.cache.keys = keys_alone.data();
  write_only.cache.values = values_alone.data();
  emulate([&] { cuda::rope_cache_write(nullptr, write_only); }, k_rotated, v);
  check(same_bits(keys_alone, keys) && same_bits(values_alone, values), what + ", write alone");
}

}  // namespace

void rope_test() {
  angles_case();
  rope_case({1, 4, 2, 64, 32, false, false});
  rope_case({7, 3, 1, 128, 64, false, true});
  rope_case({5, 4, 4, 80, 16, false, false});
  rope_case({5, 2, 1, 40, 20, true, false});
  rope_case({3, 1, 1, 1, 0, false, false});
}

}  // namespace exl::test
