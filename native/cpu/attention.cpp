#include <algorithm>

#include "cpu/backend.h"

namespace exl::cpu {

namespace {

// Rows of one sequence that are attended to together: keys are read once for all of them.
constexpr int64_t kRowBlock = 16;

// Multiply-adds below which another thread costs more than it saves.
constexpr int64_t kGrain = 1 << 18;

struct RowBlock {
  int64_t first, end;
};

// Cuts [0, rows) where the sequence changes or a block is full.
template <typename F>
void for_each_block(const Tensor& sequences, int64_t rows, F run) {
  const int32_t* sequence = sequences.as<int32_t>();
  for (int64_t first = 0; first < rows;) {
    int64_t end = first + 1;
    while (end < rows && end - first < kRowBlock && sequence[end] == sequence[first]) end++;
    run(RowBlock{first, end});
    first = end;
  }
}

int64_t query_floats(int64_t dim) { return kAttentionTile + (dim + 15) / 16 * 16; }

int64_t block_queries(const Call& call) {
  return kRowBlock * (call.in(0).shape[1] / call.cache(1).key_heads);
}

}  // namespace

void cache_write(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const Tensor &k = call.in(0), &v = call.in(1);
  const LayerCache& cache = call.cache(2);
  const int32_t *positions = call.in(3).as<int32_t>(), *sequences = call.in(4).as<int32_t>();
  const Tensor& pages = call.in(5);
  const int64_t dim = cache.dim;
  auto* halves = reinterpret_cast<uint16_t*>(run.scratch);
  for (int64_t r = 0; r < k.shape[0]; r++) {
    const int64_t page =
        pages.as<int32_t>()[sequences[r] * pages.shape[1] + positions[r] / kPageTokens];
    const int64_t token = positions[r] % kPageTokens;
    for (int64_t h = 0; h < cache.key_heads; h++) {
      const int64_t from = (r * cache.key_heads + h) * dim;
      cpu.target.narrow(k.as<float>() + from, halves, dim);
      uint16_t* keys = cache.keys->as<uint16_t>() + cache.key_at(page, h) + token;
      for (int64_t c = 0; c < dim; c++) keys[c * kPageTokens] = halves[c];
      cpu.target.narrow(v.as<float>() + from,
                        cache.values->as<uint16_t>() + cache.value_at(page, h) + token * dim, dim);
    }
  }
}

size_t cache_write_scratch(const Backend&, const Call& call) {
  return size_t(call.cache(2).dim) * sizeof(uint16_t);
}

size_t attention_scratch_bytes(const Backend& backend, const Call& call) {
  const int threads = static_cast<const CpuBackend&>(backend).pool.threads();
  return size_t(threads * block_queries(call) * query_floats(call.cache(1).dim)) * sizeof(float);
}

void attention(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const Tensor &q = call.in(0), &pages = call.in(4);
  const LayerCache& cache = call.cache(1);
  const int32_t* sequences = call.in(3).as<int32_t>();
  Attention attention{q.as<float>(),
                      call.out().as<float>(),
                      cache.keys->as<uint16_t>(),
                      cache.values->as<uint16_t>(),
                      call.in(2).as<int32_t>(),
                      pages.as<int32_t>(),
                      q.shape[1],
                      cache.key_heads,
                      cache.dim,
                      int64_t(call.attribute("window")),
                      float(call.attribute("scale")),
                      float(call.attribute("softcap"))};

  std::vector<RowBlock> blocks;
  for_each_block(call.in(3), q.shape[0], [&](RowBlock block) { blocks.push_back(block); });
  const int64_t per_thread = block_queries(call) * query_floats(cache.dim);
  const int64_t tasks = int64_t(blocks.size()) * cache.key_heads;
  const auto run_task = [&](int64_t task, int thread) {
    const RowBlock& block = blocks[size_t(task / cache.key_heads)];
    Attention mine = attention;
    mine.pages = pages.as<int32_t>() + sequences[block.first] * pages.shape[1];
    auto* scratch = reinterpret_cast<float*>(run.scratch) + thread * per_thread;
    cpu.target.attention(mine, block.first, block.end, task % cache.key_heads, scratch);
  };
  int64_t seen = 0;  // keys, by all rows together
  for (int64_t r = 0; r < q.shape[0]; r++) seen += attention.positions[r] + 1;
  if (seen * q.shape[1] * cache.dim >= kGrain)
    cpu.pool.parallel(tasks, run_task);
  else
    for (int64_t task = 0; task < tasks; task++) run_task(task, 0);
}

}  // namespace exl::cpu
