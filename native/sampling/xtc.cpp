// XTC, "exclude top choices" (p-e-w, text-generation-webui pull request 6335): now and then removes
// all tokens above a threshold but the least probable of them.
#include "sampling/random.h"
#include "sampling/stages.h"

namespace exl {

void xtc(const StageContext& context, Candidates& list) {
  const Xtc& set = context.settings.xtc;
  if (set.probability <= 0 || list.count < 2) return;
  if (uniform(context.settings.seed, Stream::Xtc, context.drawn) >= set.probability) return;

  const double threshold = set.threshold * list.sum;
  const auto is_top = [&](int64_t i) {
    return double(list.values[i]) >= threshold && !set.ignored.contains(list.id(i));
  };
  int64_t least = -1;
  for (int64_t i = 0; i < list.count; i++)
    if (is_top(i) && (least < 0 || list.key(i) < list.key(least))) least = i;
  if (least < 0) return;
  list.keep_if([&](int64_t i) { return i == least || !is_top(i); });
  list.add_up();
}

}  // namespace exl
