#include <numeric>

#include "cuda/kernels/kernels.h"
#include "test/emulator/cache.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

using cuda::CacheCode;

struct Case {
  int heads, key_heads, dim;
  std::vector<int> lengths;  // tokens in the cache, of each sequence
  int fresh = 1;             // rows of each sequence: its last tokens
  int window = 0;
  float softcap = 0;
  CacheCode key_code = CacheCode::F16, value_code = CacheCode::F16;
};

// A cache of random keys and values, of which only the tokens of a sequence are set, and the rows
// that look at it.
struct Problem {
  explicit Problem(const Case& problem)
      : c(problem), cache(c.key_heads, c.dim, c.key_code, c.value_code, pages()) {
    Random random(11);
    // Backwards, so that no sequence is one run of memory.
    for (int i = pages() - 1; i >= 0; i--) table.push_back(i);
    std::vector<int32_t> token_positions, token_sequences;
    for (size_t s = 0; s < c.lengths.size(); s++) {
      for (int t = 0; t < c.lengths[s]; t++) {
        token_positions.push_back(t);
        token_sequences.push_back(int32_t(s));
      }
      for (int t = std::max(0, c.lengths[s] - c.fresh); t < c.lengths[s]; t++) {
        positions.push_back(t);
        sequences.push_back(int32_t(s));
      }
    }
    const size_t width = size_t(c.key_heads * c.dim), tokens = token_positions.size();
    const auto k = random.halves(tokens * width), v = random.halves(tokens * width);
    const cuda::StepRows all{token_positions.data(), token_sequences.data(), table.data(),
                             per_sequence()};
    cache.write(k, v, all, int64_t(tokens));
    keys = cache.decoded(cache.keys, cache.key_scales, c.key_code);
    values = cache.decoded(cache.values, cache.value_scales, c.value_code);
    rows = positions.size();
    q = random.halves(rows * size_t(c.heads * c.dim), 2);
    params = {.q = q.data(),
              .q_stride = c.heads * c.dim,
              .y = nullptr,
              .rows = int64_t(rows),
              .heads = c.heads,
              .cache = cache.pages(),
              .step = {positions.data(), sequences.data(), table.data(), per_sequence()},
              .scale = 1 / std::sqrt(float(c.dim)),
              .window = c.window,
              .softcap = c.softcap,
              .splits = per_sequence()};
  }

  int per_sequence() const {
    return (*std::max_element(c.lengths.begin(), c.lengths.end()) + 255) / 256;
  }
  int pages() const { return int(c.lengths.size()) * per_sequence(); }

  size_t place(int32_t sequence, int token, int head) const {
    const int32_t page = table[size_t(sequence * per_sequence() + token / 256)];
    return (size_t(page * c.key_heads + head) * 256 + size_t(token % 256)) * size_t(c.dim);
  }

  // Also how far a kernel may be off: scores are sums of `dim` products in fp32, weights are
  // rounded to half, everything else is fp32. Where the cache is rotated, queries and what is read
  // of it are rounded to half once more, in the rotated domain.
  std::vector<double> expected(std::vector<double>& bound) const {
    std::vector<double> y(q.size());
    bound.assign(q.size(), 0);
    for (size_t r = 0; r < rows; r++)
      for (int h = 0; h < c.heads; h++) mix(r, h, y, bound);
    return y;
  }

  void mix(size_t r, int h, std::vector<double>& y, std::vector<double>& bound) const {
    const size_t query = (r * size_t(c.heads) + size_t(h)) * size_t(c.dim), dim = size_t(c.dim);
    const int last = positions[r], first = c.window ? std::max(0, last - c.window + 1) : 0;
    const auto at = [&](int t) { return place(sequences[r], t, h / (c.heads / c.key_heads)); };
    const double scale = double(params.scale), softcap = double(c.softcap);
    std::vector<double> weights;
    double off = 0, most = -INFINITY;
    for (int t = first; t <= last; t++) {
      double dot = 0, size = 0, q_norm = 0, k_norm = 0;
      for (size_t i = 0; i < dim; i++) {
        const double a = value(q[query + i]), b = keys[at(t) + i];
        dot += a * b;
        size += std::abs(a * b);
        q_norm += a * a;
        k_norm += b * b;
      }
      if (is_rotated(c.key_code)) {
        size = std::sqrt(q_norm * k_norm);
        off = std::max(
            off, scale * (2 * kHalfUlp * size + kHalfTiny * std::sqrt(32.0 * c.dim * k_norm)));
      }
      dot *= scale;
      if (c.softcap != 0) dot = softcap * std::tanh(dot / softcap);
      off = std::max(off, (c.dim + 4) * kFloatUlp * size * scale + 8 * kFloatUlp * softcap +
                              4 * kFloatUlp * std::abs(dot) +
                              (is_rotated(c.key_code) ? 2 * kHalfUlp * size * scale : 0));
      weights.push_back(dot);
      most = std::max(most, dot);
    }
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - most);
    const bool rotated = is_rotated(c.value_code);
    const double relative =
        kHalfUlp * (rotated ? 2 : 1) + 4 * off + (2 * double(weights.size()) + 16) * kFloatUlp;
    std::vector<double> size(dim), whole(dim), value_row(dim);
    for (int t = first; t <= last; t++) {
      std::copy_n(values.begin() + std::ptrdiff_t(at(t)), dim, value_row.begin());
      const double weight = weights[size_t(t - first)] / sum;
      for (size_t i = 0; i < dim; i++) y[query + i] += weight * value_row[i];
      if (rotated)
        for (size_t i = 0; i < dim; i += 32) hadamard(&value_row[i]);
      for (size_t i = 0; i < dim; i++) {
        size[i] += weight * std::abs(value_row[i]);
        whole[i] += std::abs(value_row[i]);
      }
    }
    for (size_t i = 0; i < dim; i++) {
      double error = size[i] * relative + kHalfTiny * whole[i];
      if (rotated) {
        error = 0;
        for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; j++)
          error += (size[j] * relative + kHalfTiny * whole[j]) / 32;
      }
      bound[query + i] = error + std::abs(y[query + i]) * kHalfUlp + kHalfTiny;
    }
  }

  std::vector<half> run(bool decode, int64_t first_row, int64_t count) const {
    auto y = unset_halves(size_t(count) * size_t(c.heads * c.dim));
    cuda::AttentionParams p = params;
    p.q += first_row * p.q_stride;
    p.step.positions += first_row;
    p.step.sequences += first_row;
    p.rows = count;
    p.y = y.data();
    auto scratch = unset_floats(size_t(cuda::attention_scratch_bytes(p)) / sizeof(float));
    p.scratch = scratch.data();
    check(cuda::attention_refuses(p).empty(), "attention is not refused");
    emulate(
        [&] { decode ? cuda::attention_decode(nullptr, p) : cuda::attention_prefill(nullptr, p); },
        q, cache.keys, cache.values, cache.key_scales, cache.value_scales);
    return y;
  }

  Case c;
  TestCache cache;
  std::vector<double> keys, values;  // as the cache has them
  std::vector<half> q;
  std::vector<int32_t> table, positions, sequences;
  size_t rows = 0;
  cuda::AttentionParams params;
};

void attention_case(const Case& c) {
  const Problem problem(c);
  std::vector<double> bound;
  const auto expected = problem.expected(bound);
  std::string what = std::to_string(c.heads) + "/" + std::to_string(c.key_heads) + " heads of " +
                     std::to_string(c.dim) + ", lengths";
  for (const int length : c.lengths) what += " " + std::to_string(length);
  if (c.window) what += ", window " + std::to_string(c.window);
  if (c.softcap != 0) what += ", softcap";
  if (c.key_code != CacheCode::F16)
    what += ", codes " + std::to_string(int(c.key_code)) + std::to_string(int(c.value_code));
  for (const bool decode : {false, true}) {
    const std::string name = (decode ? "decode: " : "prefill: ") + what;
    const auto y = problem.run(decode, 0, int64_t(problem.rows));
    compare(y, expected, [&](size_t i) { return bound[i]; }, name);
    // Each of a few rows alone.
    for (size_t r = 0; r < problem.rows && problem.rows > 1; r += 1 + problem.rows / 3) {
      const auto alone = problem.run(decode, int64_t(r), 1);
      const auto begin = y.begin() + std::ptrdiff_t(r * alone.size());
      check(same_bits(alone, {begin, begin + std::ptrdiff_t(alone.size())}),
            name + ", row " + std::to_string(r) + " alone");
    }
  }
}

}  // namespace

void attention_test() {
  attention_case({2, 2, 64, {1}});
  attention_case({4, 1, 64, {17}, 17});
  attention_case({8, 2, 128, {70}, 3});
  attention_case({2, 1, 8, {20}, 5});
  attention_case({2, 1, 40, {100}, 9});
  attention_case({2, 1, 256, {40}, 40});
  attention_case({3, 3, 80, {33}, 2});
  attention_case({70, 1, 16, {5}, 5});
  attention_case({2, 1, 64, {600, 1, 257, 256}, 2});
  attention_case({4, 2, 64, {300}, 20, 37});
  attention_case({2, 1, 64, {530, 90}, 2, 256});
  attention_case({2, 2, 64, {50}, 7, 0, 5});
  using enum CacheCode;
  attention_case({2, 1, 64, {300, 20}, 3, 0, 0, E5M2, E5M2});
  attention_case({4, 2, 32, {270}, 5, 40, 0, Int8, Int8});
  attention_case({4, 1, 96, {100, 33}, 6, 0, 0, Int8, Int4});
  attention_case({2, 1, 128, {260}, 2, 0, 0, Int4, Int4});
  if (!full) return;
  attention_case({2, 1, 256, {300}, 4, 0, 0, Int4, Int4});
  attention_case({3, 1, 256, {290}, 20, 100, 5, Int8, Int4});
  attention_case({8, 2, 128, {513, 64}, 1});
  attention_case({6, 2, 96, {300, 5, 70}, 40, 33});
  attention_case({4, 1, 256, {520, 270}, 9, 100, 20});
  attention_case({40, 1, 128, {200}, 20});
}

}  // namespace exl::test
