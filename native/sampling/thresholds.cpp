// Truncations at a probability.
#include <cmath>

#include "sampling/stages.h"

namespace exl {

namespace {

// Always keeps the largest.
void keep_from_weight(double least, Candidates& list) {
  const double largest = double(list.largest());
  list.keep_from(least < largest ? least : largest);
  list.add_up();
}

}  // namespace

// p >= a * largest^2
void top_a(const StageContext& context, Candidates& list) {
  const double a = context.settings.top_a;
  if (a <= 0 || list.count < 2) return;
  const double largest = double(list.largest());
  keep_from_weight(a * largest * largest / list.sum, list);
}

// p >= m * largest
void min_p(const StageContext& context, Candidates& list) {
  const double m = context.settings.min_p;
  if (m <= 0 || list.count < 2) return;
  keep_from_weight(m * double(list.largest()), list);
}

// Mirostat 2 (Basu et al., arXiv:2007.14966): surprise of at most mu, -log2 p <= mu.
void mirostat(const StageContext& context, Candidates& list) {
  if (context.settings.mirostat.tau <= 0 || list.count < 2) return;
  const double least = std::exp2(-context.mirostat_mu) * list.sum;
  const double largest = double(list.largest());
  if (least <= largest) return keep_from_weight(least, list);
  int64_t first = 0;
  for (int64_t i = 1; i < list.count; i++)
    if (list.key(i) > list.key(first)) first = i;
  list.keep_only(first);
  list.add_up();
}

}  // namespace exl
