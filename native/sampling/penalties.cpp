// Repetition, presence and frequency penalties.
#include <algorithm>

#include "sampling/stages.h"

namespace exl {

void penalties(const StageContext& context, Candidates& list) {
  const Penalties& set = context.settings.penalties;
  if (!set.active()) return;
  const int64_t length = int64_t(context.history.size());
  const int64_t range = set.range < 0 ? length : set.range;
  const int64_t reach = range > length ? length : std::min(length, range + set.decay);

  // The last occurrence decides how much the first two penalties weigh; the third adds up.
  auto* const met = reinterpret_cast<uint8_t*>(list.keys());
  std::fill_n(met, list.count, uint8_t(0));
  for (int64_t back = 0; back < reach; back++) {
    const int64_t at = list.place(context.history[size_t(length - 1 - back)]);
    if (at < 0) continue;
    const double strength = back <= range ? 1 : 1 - double(back - range) / double(set.decay);
    double logit = double(list.values[at]);
    if (!met[at]) {
      const double repetition = 1 + (set.repetition - 1) * strength;
      logit = logit > 0 ? logit / repetition : logit * repetition;
      logit -= set.presence * strength;
      met[at] = 1;
    }
    list.values[at] = bounded(logit - set.frequency * strength);
  }
}

}  // namespace exl
