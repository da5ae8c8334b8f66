// What one job asks of sampling. Every default is the value that leaves the logits alone. The
// formulas, their papers and the ranges are with the options of the same names in lib/sampling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sampling/observation.h"

namespace exl {

// A set of token ids: one bit per id, so that tens of thousands of them are small.
class TokenSet {
 public:
  TokenSet() = default;
  // Negative ids are left out.
  explicit TokenSet(const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
      if (id < 0) continue;
      if (size_t(id) / 64 >= words_.size()) words_.resize(size_t(id) / 64 + 1);
      words_[size_t(id) / 64] |= uint64_t(1) << id % 64;
    }
  }

  bool contains(int32_t id) const {
    const size_t word = size_t(id) / 64;
    return id >= 0 && word < words_.size() && (words_[word] >> id % 64 & 1) != 0;
  }

 private:
  std::vector<uint64_t> words_;
};

struct Penalties {
  double repetition = 1, presence = 0, frequency = 0;
  int64_t range = -1;  // tokens under the full penalties; -1: all
  int64_t decay = 0;   // tokens before those over which they fade

  bool active() const { return repetition != 1 || presence != 0 || frequency != 0; }
};

struct Dry {
  double multiplier = 0;
  double base = 1.75;
  int64_t allowed_length = 2;
  int64_t range = 0;  // 0: all
  TokenSet breakers;
};

struct Xtc {
  double probability = 0;
  double threshold = 0.1;
  TokenSet ignored;  // never removed
};

struct Mirostat {
  double tau = 0;  // 0: off
  double eta = 0.1;
};

struct DynamicTemperature {
  double min = 0, max = 0, exponent = 1;  // max 0: off
};

struct Bias {
  int32_t id;
  float value;
};

struct SamplerSettings {
  double temperature = 1;  // 0: the most probable token, after penalties, bias and masks
  bool temperature_last = false;
  double smoothing_factor = 0;
  DynamicTemperature dynamic_temperature;
  int64_t top_k = 0;
  double top_p = 1;
  double min_p = 0;
  double top_a = 0;
  double tfs = 1;
  double typical_p = 1;
  double skew = 0;
  Penalties penalties;
  Dry dry;
  Xtc xtc;
  Mirostat mirostat;
  std::vector<Bias> bias;
  std::vector<int32_t> allowed;  // empty: all
  std::vector<int32_t> banned;
  std::vector<int32_t> first_allowed;  // at the first draw; empty: all
  std::vector<int32_t> end_ids;        // not drawn before `min_tokens` were
  int64_t min_tokens = 0;
  int64_t vocabulary = 0;  // ids from here on are padding; 0: none is
  bool exllamav2 = false;  // its variants of top-p and typical
  double guidance = 1;     // scale of classifier-free guidance; 1: off
  Observe observe;
  uint64_t seed = 0;
};

}  // namespace exl
