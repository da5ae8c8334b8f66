#include <numeric>

#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

struct Case {
  int heads, key_heads, dim;
  std::vector<int> lengths;  // tokens in the cache, of each sequence
  int fresh = 1;             // rows of each sequence: its last tokens
  int window = 0;
  float softcap = 0;
};

// A cache of random keys and values, of which only the tokens of a sequence are set, and the rows
// that look at it.
struct Problem {
  explicit Problem(const Case& problem) : c(problem) {
    Random random(11);
    const int per_sequence = (*std::max_element(c.lengths.begin(), c.lengths.end()) + 255) / 256;
    const size_t page = size_t(256 * c.key_heads * c.dim),
                 pages = c.lengths.size() * size_t(per_sequence);
    keys = unset_halves(pages * page);
    values = unset_halves(pages * page);
    // Backwards, so that no sequence is one run of memory.
    table.resize(pages);
    for (size_t i = 0; i < pages; i++) table[i] = int32_t(pages - 1 - i);
    for (size_t s = 0; s < c.lengths.size(); s++) {
      for (int t = 0; t < c.lengths[s]; t++)
        for (int h = 0; h < c.key_heads; h++)
          for (int i = 0; i < c.dim; i++) {
            const size_t at = place(per_sequence, s, t, h) + size_t(i);
            keys[at] = __float2half_rn(random.normal());
            values[at] = __float2half_rn(random.normal());
          }
      for (int r = 0; r < std::min(c.fresh, c.lengths[s]); r++) {
        positions.push_back(c.lengths[s] - std::min(c.fresh, c.lengths[s]) + r);
        sequences.push_back(int32_t(s));
      }
    }
    rows = positions.size();
    q = random.halves(rows * size_t(c.heads * c.dim), 2);
    params = {.q = q.data(),
              .q_stride = c.heads * c.dim,
              .y = nullptr,
              .rows = int64_t(rows),
              .heads = c.heads,
              .cache = {keys.data(), values.data(), c.key_heads, c.dim},
              .step = {positions.data(), sequences.data(), table.data(), per_sequence},
              .scale = 1 / std::sqrt(float(c.dim)),
              .window = c.window,
              .softcap = c.softcap,
              .splits = per_sequence};
  }

  size_t place(int per_sequence, size_t sequence, int token, int head) const {
    const int32_t page = table[sequence * size_t(per_sequence) + size_t(token / 256)];
    return (size_t(page * c.key_heads + head) * 256 + size_t(token % 256)) * size_t(c.dim);
  }

  // Also how far a kernel may be off: scores are sums of `dim` products in fp32, weights are
  // rounded to half, everything else is fp32.
  std::vector<double> expected(std::vector<double>& bound) const {
    std::vector<double> y(q.size());
    bound.assign(q.size(), 0);
    for (size_t r = 0; r < rows; r++)
      for (int h = 0; h < c.heads; h++) {
        const size_t query = (r * size_t(c.heads) + size_t(h)) * size_t(c.dim);
        const int last = positions[r], first = c.window ? std::max(0, last - c.window + 1) : 0;
        std::vector<double> scores;
        double off = 0, most = -INFINITY;
        for (int t = first; t <= last; t++) {
          const size_t key = place(params.step.pages_per_sequence, size_t(sequences[r]), t,
                                   h / (c.heads / c.key_heads));
          double dot = 0, size = 0;
          for (int i = 0; i < c.dim; i++) {
            const double product = value(q[query + size_t(i)]) * value(keys[key + size_t(i)]);
            dot += product;
            size += std::abs(product);
          }
          const double scale = double(params.scale);
          dot *= scale;
          if (c.softcap != 0) dot = double(c.softcap) * std::tanh(dot / double(c.softcap));
          off =
              std::max(off, (c.dim + 4) * kFloatUlp * size * scale +
                                8 * kFloatUlp * double(c.softcap) + 4 * kFloatUlp * std::abs(dot));
          scores.push_back(dot);
          most = std::max(most, dot);
        }
        double sum = 0;
        for (double& score : scores) sum += score = std::exp(score - most);
        const double relative = kHalfUlp + 4 * off + (2 * double(scores.size()) + 16) * kFloatUlp;
        for (int i = 0; i < c.dim; i++) {
          double mixed = 0, size = 0, whole = 0;
          for (int t = first; t <= last; t++) {
            const size_t at = place(params.step.pages_per_sequence, size_t(sequences[r]), t,
                                    h / (c.heads / c.key_heads)) +
                              size_t(i);
            const double term = scores[size_t(t - first)] / sum * value(values[at]);
            mixed += term;
            size += std::abs(term);
            whole += std::abs(value(values[at]));
          }
          y[query + size_t(i)] = mixed;
          bound[query + size_t(i)] =
              size * relative + kHalfTiny * whole + std::abs(mixed) * kHalfUlp + kHalfTiny;
        }
      }
    return y;
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
    decode ? cuda::attention_decode(nullptr, p) : cuda::attention_prefill(nullptr, p);
    return y;
  }

  Case c;
  std::vector<half> keys, values, q;
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
  if (!full) return;
  attention_case({8, 2, 128, {513, 64}, 1});
  attention_case({6, 2, 96, {300, 5, 70}, 40, 33});
  attention_case({4, 1, 256, {520, 270}, 9, 100, 20});
  attention_case({40, 1, 128, {200}, 20});
}

}  // namespace exl::test
