// Choosing the next token from logits. The order of the steps and the meaning of each setting
// follow ExLlamaV2; top-p is the textbook nucleus (Holtzman et al., arXiv:1904.09751), min-p is
// arXiv:2407.01082.
#pragma once

#include <cstdint>
#include <vector>

namespace exl {

struct SamplerSettings {
  float temperature = 1;         // 0: greedy
  int top_k = 0;                 // 0: off
  float top_p = 1;               // 1: off
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

  // Picks an id below `vocabulary` and feeds it.
  int32_t draw(const float* logits, int64_t vocabulary);

 private:
  struct Candidate {
    float value;
    int32_t id;
  };

  int32_t pick(int64_t vocabulary);
  void penalise(int64_t vocabulary);

  SamplerSettings settings_;
  std::vector<int32_t> seen_;  // distinct tokens so far, in no order
  std::vector<bool> is_seen_;
  std::vector<float> logits_;
  std::vector<Candidate> candidates_;
  uint64_t draws_ = 0;
};

}  // namespace exl
