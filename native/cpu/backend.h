// The CPU backend: fp32 activations, fp16 cache, quantised weights that stay quantised.
#pragma once

#include <algorithm>

#include "core/backend.h"
#include "cpu/pack.h"
#include "cpu/thread_pool.h"

namespace exl::cpu {

class CpuBackend : public Backend {
 public:
  CpuBackend() : target(best_target()) {}

  const char* name() const override { return "cpu"; }
  Dtype activation_type() const override { return Dtype::F32; }
  Dtype cache_type() const override { return Dtype::F16; }
  Kernels kernels() const override;
  Layouts layouts() const override;
  void use_threads(int threads) override { pool.use(threads); }

  // Splits [0, count) into ranges of at least `grain`, a few per thread so that a late thread
  // delays little.
  template <typename F>
  void split(int64_t count, int64_t grain, F run, int64_t per_thread = 8) {
    const int64_t ranges = std::max<int64_t>(
        1, std::min<int64_t>(count / std::max<int64_t>(grain, 1), pool.threads() * per_thread));
    pool.parallel(ranges,
                  [&](int64_t i, int) { run(count * i / ranges, count * (i + 1) / ranges); });
  }

  const Target& target;
  ThreadPool pool;
};

std::unique_ptr<Backend> make_backend();

// The targets this processor runs, best first.
std::vector<const Target*> usable_targets();

// What kernels need to know of the keys, or the values, of a layer.
CacheCodes codes_of(const CacheSide& side);

// Of each file.
extern const Kernels attention_kernels, cache_kernels, linear_kernels, row_kernels, sample_kernels;

}  // namespace exl::cpu
