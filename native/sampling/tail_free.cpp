// Tail free sampling (Phénix and Egan): cuts where the curve of sorted probabilities flattens.
#include <cmath>

#include "sampling/stages.h"

namespace exl {

void tail_free(const StageContext& context, Candidates& list) {
  const double z = context.settings.tfs;
  if (z <= 0 || z >= 1 || list.count < 3) return;
  list.sort();
  const auto bend = [&](int64_t i) {
    const float* p = list.values + i;
    return std::fabs(double(p[0]) - 2 * double(p[1]) + double(p[2]));
  };
  const int64_t bends = list.count - 2;
  double sum = 0;
  for (int64_t i = 0; i < bends; i++) sum += bend(i);
  if (sum == 0) return;

  double passed = 0;
  int64_t kept = 0;
  while (kept < bends && (passed += bend(kept)) <= z * sum) kept++;
  list.keep_first(kept + 1);
  list.add_up();
}

}  // namespace exl
