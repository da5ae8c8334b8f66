// What a job may want to know of a draw besides the id.
#pragma once

#include <cstdint>
#include <vector>

namespace exl {

// Natural logarithms of probabilities under the model itself: before penalties, masks, temperature
// and truncation.
struct Observation {
  int32_t id = -1;
  float log_prob = 0;
  std::vector<int32_t> top_ids;  // most probable first
  std::vector<float> top_log_probs;
  std::vector<float> logits;  // of the whole vocabulary, if asked for
};

struct Observe {
  int64_t top = -1;     // how many of the most probable tokens; -1: no log-probabilities at all
  bool logits = false;  // a copy of them
  bool defer = false;   // hands the logits out instead of drawing

  bool active() const { return top >= 0 || logits || defer; }
};

// All but the id.
Observation observe(const Observe& wanted, const float* logits, int64_t vocabulary);

// Of one id.
float log_prob_of(const float* logits, int64_t vocabulary, int32_t id);

}  // namespace exl
