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
  std::span<const Kernel> kernels() const override;
  std::shared_ptr<Weight> load(const WeightSource& source, const Allocator& allocate,
                               const std::string& label) override;
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

// Kernels, grouped by file.
void embed(Backend&, const Call&, const Run&);
void gather_rows(Backend&, const Call&, const Run&);
void rms_norm(Backend&, const Call&, const Run&);
void layer_norm(Backend&, const Call&, const Run&);
size_t rms_norm_scratch(const Backend&, const Call&);
void rope_angles(Backend&, const Call&, const Run&);
void rope(Backend&, const Call&, const Run&);
void add(Backend&, const Call&, const Run&);
void silu_mul(Backend&, const Call&, const Run&);
void quant_linear(Backend&, const Call&, const Run&);
std::string quant_linear_refuses(const Call&);
size_t quant_linear_scratch(const Backend&, const Call&);
void float_linear(Backend&, const Call&, const Run&);
std::string float_linear_refuses(const Call&);
void cache_write(Backend&, const Call&, const Run&);
void attention(Backend&, const Call&, const Run&);
size_t attention_scratch_bytes(const Backend&, const Call&);
void sample(Backend&, const Call&, const Run&);
size_t sample_scratch(const Backend&, const Call&);
void token_log_prob(Backend&, const Call&, const Run&);

}  // namespace exl::cpu
