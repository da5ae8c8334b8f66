// Choosing the next token from logits. What each stage does and their order follow ExLlamaV2, with
// the published algorithm wherever it departs from that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sampling/candidates.h"
#include "sampling/settings.h"

namespace exl {

// The state of one job: settings, tokens so far, and how many draws were made. Draw `n` depends on
// the seed, `n` and the logits alone, so text does not depend on threads, batches or other jobs.
class Sampler {
 public:
  explicit Sampler(SamplerSettings settings);

  // Tokens the penalties see.
  void feed(const std::vector<int32_t>& tokens);

  // Picks an id below `vocabulary` and feeds it; -1 if the settings leave no token. Changes the
  // logits; `scratch` has scratch_bytes().
  int32_t draw(float* logits, int64_t vocabulary, std::byte* scratch);
  static size_t scratch_bytes(int64_t vocabulary);

  // What the next draw chooses from.
  Candidates distribution(float* logits, int64_t vocabulary, std::byte* scratch) const;

 private:
  SamplerSettings settings_;
  std::vector<int32_t> history_;  // empty if no stage looks at it
  uint64_t draws_ = 0;
  double mirostat_mu_;
};

}  // namespace exl
