// Choosing the next token from logits. What each stage does and their order follow ExLlamaV2, with
// the published algorithm wherever it departs from that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sampling/candidates.h"
#include "sampling/filter.h"
#include "sampling/observation.h"
#include "sampling/settings.h"

namespace exl {

// What a draw gives instead of an id.
inline constexpr int32_t kNoToken = -1;   // the settings leave none
inline constexpr int32_t kNotDrawn = -2;  // the draft went astray before this one
inline constexpr int32_t kDeferred = -3;  // somebody else looks at the logits first
inline constexpr int32_t kNotFinite =
    -4;  // the logits are none: NaN, infinity, or all of them -infinity

// The largest logits of a row, in descending order.
struct Largest {
  const float* values;
  const int32_t* ids;
  int64_t count;
};

// The state of one job: settings, tokens so far, and how many draws were made. Draw `n` depends on
// the seed, `n` and the logits alone, so text does not depend on threads, batches or other jobs.
class Sampler {
 public:
  explicit Sampler(SamplerSettings settings, Filters filters = {});

  // Tokens the penalties see, before the first draw.
  void feed(const std::vector<int32_t>& tokens);

  // Picks an id below `vocabulary` and feeds it; kNoToken if the settings leave none, kNotFinite if
  // the model is damaged. A logit of -infinity is a token that is never drawn. Changes the
  // logits; `scratch` has scratch_bytes().
  int32_t draw(float* logits, int64_t vocabulary, std::byte* scratch);
  static size_t scratch_bytes(int64_t vocabulary);

  // The same draw from the largest logits alone; nothing if one of the others may have a say in it.
  std::optional<int32_t> draw_largest(const Largest& largest);

  // Draws as a step does: observed where that was asked for, or left to somebody else.
  int32_t draw_observed(float* logits, int64_t vocabulary, std::byte* scratch);

  // What the next draw chooses from.
  Candidates distribution(float* logits, int64_t vocabulary, std::byte* scratch) const;

  // Forgets all draws but the first `draws`. `banned` ids are not drawn in the place of the next.
  void rewind(uint64_t draws, std::vector<int32_t> banned);

  // How far logits are pushed away from those of a second sequence; 1: there is none.
  double guidance() const { return settings_.guidance; }

  std::vector<Observation> take_observations() { return std::move(observations_); }

 private:
  // Runs the stages; false if a candidate that is not in the list, and has `floor` at most, might
  // belong to what is left.
  bool choose(Candidates& list, float floor) const;
  int32_t draw_from(const Candidates& list);
  bool looks_below(const Largest& largest) const;

  SamplerSettings settings_;
  Filters filters_;
  std::vector<int32_t> history_;  // empty if no stage looks at it
  uint64_t draws_ = 0;
  std::vector<double> mirostat_mu_;  // before each draw, and now; empty if unused
  std::vector<int32_t> banned_once_;
  std::vector<Observation> observations_;
};

}  // namespace exl
