#include "ops/attention.h"

#include <algorithm>
#include <cmath>

#include "ops/cache_write.h"
#include "reference/cache.h"
#include "reference/reference.h"

namespace exl::reference {

namespace {

// The page that holds a position of a row's sequence.
int64_t page_of(const Tensor& pages, int64_t sequence, int64_t position, int64_t per_sequence) {
  return pages.as<int32_t>()[sequence * per_sequence + position / kPageTokens];
}

void cache_write(Backend&, const Call& call, const Run&) {
  const CacheWriteCall op(call);
  const LayerCache& cache = op.cache;
  const auto& [positions, sequences, pages] = op.step;
  const int64_t rows = op.k.shape[0];
  for (int64_t r = 0; r < rows; r++) {
    const int64_t position = positions.as<int32_t>()[r];
    const int64_t page = page_of(pages, sequences.as<int32_t>()[r], position, pages.shape[1]);
    const int64_t token = position % kPageTokens;
    for (int64_t h = 0; h < cache.key_heads; h++) {
      const int64_t from = (r * cache.key_heads + h) * cache.dim;
      write_head(cache, cache.keys, page, h, token, op.k.as<double>() + from);
      write_head(cache, cache.values, page, h, token, op.v.as<double>() + from);
    }
  }
}

void attention(Backend&, const Call& call, const Run&) {
  const AttentionCall op(call);
  const LayerCache& cache = op.cache;
  const auto& [positions, sequences, pages] = op.step;
  const int64_t rows = op.q.shape[0], heads = op.q.shape[1], dim = op.q.shape[2];

  std::vector<double> scores;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t h = 0; h < heads; h++) {
      const double* query = op.q.as<double>() + (r * heads + h) * dim;
      double* mixed = op.y.as<double>() + (r * heads + h) * dim;
      const int64_t key_head = h / (heads / cache.key_heads);
      const int64_t last = positions.as<int32_t>()[r];
      const int64_t first = op.window ? std::max<int64_t>(0, last - op.window + 1) : 0;
      const int64_t sequence = sequences.as<int32_t>()[r];

      scores.clear();
      for (int64_t t = first; t <= last; t++) {
        const int64_t page = page_of(pages, sequence, t, pages.shape[1]);
        const std::vector<double> key =
            read_head(cache, cache.keys, page, key_head, t % kPageTokens);
        double dot = 0;
        for (int64_t c = 0; c < dim; c++) dot += query[c] * key[size_t(c)];
        dot *= op.scale;
        scores.push_back(op.softcap ? op.softcap * std::tanh(dot / op.softcap) : dot);
      }
      const double most = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - most);

      for (int64_t c = 0; c < dim; c++) mixed[c] = 0;
      for (int64_t t = first; t <= last; t++) {
        const int64_t page = page_of(pages, sequence, t, pages.shape[1]);
        const std::vector<double> value =
            read_head(cache, cache.values, page, key_head, t % kPageTokens);
        for (int64_t c = 0; c < dim; c++)
          mixed[c] += scores[size_t(t - first)] / sum * value[size_t(c)];
      }
    }
}

constexpr Kernel kKernels[] = {
    {.op = &ops::cache_write, .name = "reference", .run = cache_write},
    {.op = &ops::attention, .name = "reference", .run = attention},
};

}  // namespace

constinit const Kernels attention_kernels = kKernels;

}  // namespace exl::reference
