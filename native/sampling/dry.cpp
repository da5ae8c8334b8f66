// DRY, "don't repeat yourself" (p-e-w, text-generation-webui pull request 5677): whatever token
// would make a repetition longer is penalised, and exponentially in the length of the repetition.
#include <algorithm>
#include <cmath>

#include "sampling/stages.h"

namespace exl {

namespace {

// As published: longer matches count as this long, which bounds the work and the penalty.
constexpr int64_t kLongestMatch = 50;

}  // namespace

void dry(const StageContext& context, Candidates& list) {
  const Dry& set = context.settings.dry;
  if (set.multiplier == 0) return;
  std::span<const int32_t> text = context.history;
  if (set.range > 0 && text.size() > size_t(set.range)) text = text.last(size_t(set.range));
  const int64_t length = int64_t(text.size());

  // Tokens of the end of the text that a repetition may consist of.
  int64_t longest = 0;
  while (longest < std::min(length, kLongestMatch) &&
         !set.breakers.contains(text[size_t(length - 1 - longest)]))
    longest++;
  if (longest < set.allowed_length || longest == 0) return;

  // For each token the longest repetition that it would continue.
  static_assert(kLongestMatch < 256);
  auto* const match = reinterpret_cast<uint8_t*>(list.keys());
  std::fill_n(match, list.count, uint8_t(0));
  for (int64_t next = 1; next < length; next++) {
    const int64_t at = list.place(text[size_t(next)]);
    if (at < 0) continue;
    int64_t n = 0;
    while (n < longest && n < next && text[size_t(next - 1 - n)] == text[size_t(length - 1 - n)])
      n++;
    if (n > match[at]) match[at] = uint8_t(n);
  }
  for (const int32_t token : text) {
    const int64_t at = list.place(token);
    if (at < 0 || match[at] == 0) continue;
    const int64_t beyond = match[at] - set.allowed_length;
    match[at] = 0;
    if (beyond < 0 || set.breakers.contains(token)) continue;
    const double penalty = set.multiplier * std::pow(set.base, double(beyond));
    list.values[at] = bounded(double(list.values[at]) - penalty);
  }
}

}  // namespace exl
