// The stages of sampling: plain functions over a list of candidates, each of which does nothing
// when its setting is off. sampler.cpp lists them in their order.
#pragma once

#include <span>

#include "sampling/candidates.h"
#include "sampling/filter.h"
#include "sampling/settings.h"

namespace exl {

// What a stage may know about the job.
struct StageContext {
  const SamplerSettings& settings;
  const Filters& filters;
  std::span<const int32_t> history;  // prompt and drawn tokens
  std::span<const int32_t> banned;   // at this draw
  uint64_t drawn;                    // draws so far
  double mirostat_mu;
};

using Stage = void (*)(const StageContext&, Candidates&);

// Over logits of the whole vocabulary. The first bounds them, and says if they are damaged.
void clean(const StageContext&, Candidates&);
void penalties(const StageContext&, Candidates&);
void bias(const StageContext&, Candidates&);
void dry(const StageContext&, Candidates&);
void masks(const StageContext&, Candidates&);

// Over logits of what is left.
void top_k(const StageContext&, Candidates&);
void softmax(const StageContext&, Candidates&);

// Over weights.
void top_p(const StageContext&, Candidates&);
void top_a(const StageContext&, Candidates&);
void min_p(const StageContext&, Candidates&);
void tail_free(const StageContext&, Candidates&);
void typical(const StageContext&, Candidates&);
void mirostat(const StageContext&, Candidates&);
void post_temperature(const StageContext&, Candidates&);
void xtc(const StageContext&, Candidates&);
void order_for_skew(const StageContext&, Candidates&);

}  // namespace exl
