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

int64_t query_floats(int64_t dim) { return kAttentionTile + 2 * ((dim + 15) / 16 * 16); }

int64_t block_queries(const Call& call) {
  return kRowBlock * (call.in(0).shape[1] / call.cache(1).key_heads);
}

}  // namespace

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
                      codes_of(cache.keys),
                      codes_of(cache.values),
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
