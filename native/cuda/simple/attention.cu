#include "cuda/simple/array.cuh"

namespace exl::cuda::simple {

namespace {

constexpr int64_t kPageTokens = 256;

// The page of one key head that holds a position.
__device__ int64_t page_of(const Pages& cache, int64_t row, int64_t position, int64_t head) {
  const int64_t page =
      cache.pages[cache.sequences[row] * cache.per_sequence + position / kPageTokens];
  return (page * cache.key_heads + head) * cache.dim * kPageTokens;
}

// Of keys and values alike.
__device__ int64_t place(const Pages& cache, int64_t page, int64_t position, int64_t c) {
  return page + position % kPageTokens * cache.dim + c;
}

__global__ void cache_write_kernel(const CacheWrite a) {
  ptx::begin();
  const int64_t i = thread();
  const Pages& cache = a.cache;
  if (i >= a.rows * cache.key_heads * cache.dim) return;
  const int64_t row = i / (cache.key_heads * cache.dim);
  const int64_t head = i / cache.dim % cache.key_heads, c = i % cache.dim;
  const int64_t position = cache.positions[row];
  const int64_t page = page_of(cache, row, position, head);
  put(cache.keys, place(cache, page, position, c), get(a.k, i));
  put(cache.values, place(cache, page, position, c), get(a.v, i));
}

__device__ float score(const Attention& a, int64_t query, int64_t row, int64_t head,
                       int64_t position) {
  const int64_t page = page_of(a.cache, row, position, head);
  float dot = 0;
  for (int64_t c = 0; c < a.cache.dim; c++)
    dot += get(a.q, query + c) * get(a.cache.keys, place(a.cache, page, position, c));
  dot *= a.scale;
  return a.softcap != 0 ? a.softcap * tanhf(dot / a.softcap) : dot;
}

// One thread per row and head: the largest score, then the mix.
__global__ void attention_kernel(const Attention a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.heads) return;
  const Pages& cache = a.cache;
  const int64_t row = i / a.heads, head = i % a.heads / (a.heads / cache.key_heads);
  const int64_t last = cache.positions[row];
  const int64_t first = a.window != 0 && last >= a.window ? last - a.window + 1 : 0;

  float most = score(a, i * cache.dim, row, head, last);
  for (int64_t t = first; t < last; t++) most = fmaxf(most, score(a, i * cache.dim, row, head, t));

  float mixed[kMostHeadSize];
  for (int64_t c = 0; c < cache.dim; c++) mixed[c] = 0;
  float sum = 0;
  for (int64_t t = first; t <= last; t++) {
    const float weight = expf(score(a, i * cache.dim, row, head, t) - most);
    const int64_t page = page_of(cache, row, t, head);
    for (int64_t c = 0; c < cache.dim; c++)
      mixed[c] += weight * get(cache.values, place(cache, page, t, c));
    sum += weight;
  }
  for (int64_t c = 0; c < cache.dim; c++) put(a.y, i * cache.dim + c, mixed[c] / sum);
}

}  // namespace

void cache_write(Stream stream, const CacheWrite& a) {
  launch_each(cache_write_kernel, stream, a.rows * a.cache.key_heads * a.cache.dim, a);
}
void attention(Stream stream, const Attention& a) {
  launch_each(attention_kernel, stream, a.rows * a.heads, a);
}

}  // namespace exl::cuda::simple
