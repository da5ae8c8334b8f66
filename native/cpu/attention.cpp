#include "ops/attention.h"

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

// What a thread needs for a block.
int64_t block_floats(const AttentionCall<Call>& op) {
  return kRowBlock * (op.q.shape[1] / op.cache.key_heads) * query_floats(op.cache.dim);
}

size_t attention_scratch(const Backend& backend, const Call& call) {
  const int threads = static_cast<const CpuBackend&>(backend).pool.threads();
  return size_t(threads * block_floats(AttentionCall(call))) * sizeof(float);
}

void attention(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const AttentionCall op(call);
  const Tensor &q = op.q, &pages = op.step.pages;
  const LayerCache& cache = op.cache;
  const int32_t* sequences = op.step.sequences.as<int32_t>();
  Attention attention{q.as<float>(),
                      op.y.as<float>(),
                      codes_of(cache.keys),
                      codes_of(cache.values),
                      op.step.positions.as<int32_t>(),
                      pages.as<int32_t>(),
                      q.shape[1],
                      cache.key_heads,
                      cache.dim,
                      op.window,
                      float(op.scale),
                      float(op.softcap)};

  std::vector<RowBlock> blocks;
  for_each_block(op.step.sequences, q.shape[0], [&](RowBlock block) { blocks.push_back(block); });
  const int64_t per_thread = block_floats(op);
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

constexpr Kernel kKernels[] = {
    {.op = &ops::attention, .name = "cpu", .scratch = attention_scratch, .run = attention},
};

}  // namespace

constinit const Kernels attention_kernels = kKernels;

}  // namespace exl::cpu
