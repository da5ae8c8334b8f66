// Choosing the next token from logits. The order of the steps and the meaning of each setting
// follow ExLlamaV2; top-p is the textbook nucleus (Holtzman et al., arXiv:1904.09751), min-p is
// arXiv:2407.01082.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace exl {

struct SamplerSettings {
  float temperature = 1;         // 0: greedy
  int top_k = 0;                 // 0: off
  float top_p = 1;               // 0 or 1: off
  float min_p = 0;               // 0: off
  float repetition_penalty = 1;  // 1: off
  uint64_t seed = 0;
};

// The state of one job: settings, tokens so far, and how many draws were made. Draw `n` depends on
// the seed and `n` alone, so text does not depend on threads, batches or other jobs.
class Sampler {
 public:
  explicit Sampler(const SamplerSettings& settings) : settings_(settings) {}

  // Tokens the penalties see.
  void feed(const std::vector<int32_t>& tokens);

  // Picks an id below `vocabulary` and feeds it. Changes the logits; `scratch` has scratch_bytes().
  int32_t draw(float* logits, int64_t vocabulary, std::byte* scratch);
  static size_t scratch_bytes(int64_t vocabulary);

 private:
  int32_t pick(const float* logits, int64_t vocabulary, std::byte* scratch);
  void penalise(float* logits, int64_t vocabulary);

  SamplerSettings settings_;
  std::vector<int32_t> seen_;  // distinct tokens so far, in no order
  std::vector<bool> is_seen_;
  uint64_t draws_ = 0;
};

}  // namespace exl
