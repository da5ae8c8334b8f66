// What may be drawn at all, whatever its probability.
#include <algorithm>
#include <bit>
#include <limits>

#include "sampling/stages.h"

namespace exl {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void block(std::span<const int32_t> ids, Candidates& list) {
  for (const int32_t id : ids)
    if (const int64_t at = list.place(id); at >= 0) list.values[at] = kNever;
}

void allow(const std::vector<int32_t>& ids, Candidates& list) {
  auto* const kept = reinterpret_cast<float*>(list.keys());
  std::copy_n(list.values, list.count, kept);
  std::fill_n(list.values, list.count, kNever);
  for (const int32_t id : ids)
    if (id >= 0 && id < list.count) list.values[id] = kept[id];
}

}  // namespace

// As bounded(). On bits, so that loops become vector instructions, and without writing where there
// is nothing to bound. No logit of a sound model is NaN or +infinity, and some are above -infinity.
void clean(const StageContext&, Candidates& list) {
  constexpr uint32_t kSign = 0x80000000;
  constexpr int32_t kBound = std::bit_cast<int32_t>(-kLowest), kInfinity = 0x7f800000;
  uint32_t beyond = 0;
  for (int64_t i = 0; i < list.count; i++)
    beyond |= uint32_t(int32_t(std::bit_cast<uint32_t>(list.values[i]) & ~kSign) > kBound);
  if (!beyond) return;
  for (int64_t i = 0; i < list.count; i++) {
    const uint32_t bits = std::bit_cast<uint32_t>(list.values[i]);
    if (int32_t(bits & ~kSign) > kInfinity || bits == uint32_t(kInfinity)) list.damaged = true;
    list.values[i] = bounded(double(list.values[i]));
  }
  list.damaged = list.damaged || list.largest() == kLowest;
}

void bias(const StageContext& context, Candidates& list) {
  for (const auto& [id, value] : context.settings.bias)
    if (const int64_t at = list.place(id); at >= 0)
      list.values[at] = bounded(double(list.values[at]) + double(value));
}

void masks(const StageContext& context, Candidates& list) {
  const SamplerSettings& settings = context.settings;
  const bool too_early = context.drawn < uint64_t(settings.min_tokens) && !settings.end_ids.empty();
  const bool healing = context.drawn == 0 && !settings.first_allowed.empty();
  if (!context.filters.active() && settings.allowed.empty() && settings.banned.empty() &&
      context.banned.empty() && !healing && !too_early)
    return;
  if (!settings.allowed.empty()) allow(settings.allowed, list);
  if (healing) allow(settings.first_allowed, list);
  context.filters.block({list.values, size_t(list.count)}, kNever);
  block(settings.banned, list);
  block(context.banned, list);
  if (too_early) block(settings.end_ids, list);
  list.keep_from(double(kLowest));
}

}  // namespace exl
