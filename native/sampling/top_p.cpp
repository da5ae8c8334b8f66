// Nucleus sampling (Holtzman et al., arXiv:1904.09751), and ExLlamaV2's variant of it.
#include <algorithm>
#include <bit>
#include <functional>

#include "sampling/select.h"
#include "sampling/stages.h"

namespace exl {

namespace {

// A histogram of weights by their leading bits: 32 buckets per power of two, from 0 to 1.
constexpr int kShift = 18;
constexpr int32_t kBuckets = (0x3f800000 >> kShift) + 1;

int32_t bucket_of(float weight) { return std::bit_cast<int32_t>(weight) >> kShift; }

// Cuts a list too long to be sorted.
void cut(double wanted, Candidates& list) {
  uint64_t* const keys = list.keys();
  auto* const masses = reinterpret_cast<double*>(keys);
  std::fill_n(masses, kBuckets, 0.0);
  for (int64_t i = 0; i < list.count; i++)
    masses[bucket_of(list.values[i])] += double(list.values[i]);
  double before = 0;
  int32_t bucket = kBuckets - 1;
  while (bucket > 0 && before + masses[bucket] < wanted) before += masses[bucket--];

  // Few values are in it: most groups are passed over without a look at each.
  constexpr int64_t kGroup = 16;
  int64_t n = 0;
  for (int64_t i = 0; i < list.count; i += kGroup) {
    const int64_t end = std::min(i + kGroup, list.count);
    if (end == i + kGroup) {
      int32_t here = 0;
      for (int64_t k = 0; k < kGroup; k++) here |= bucket_of(list.values[i + k]) == bucket;
      if (!here) continue;
    }
    for (int64_t k = i; k < end; k++)
      if (bucket_of(list.values[k]) == bucket) keys[n++] = list.key(k);
  }
  if (n == 0) return;  // rounding put the end beyond the last
  const uint64_t end =
      prefix_end(keys, n, wanted - before, [](uint64_t key) { return double(key_value(key)); });
  const float least = key_value(end);
  const bool tied = std::any_of(keys, keys + n,
                                [&](uint64_t key) { return key < end && key_value(key) == least; });
  list.keep_from(double(least));
  if (tied) list.keep_if([&](int64_t i) { return list.key(i) >= end; });
}

void textbook(double share, Candidates& list) {
  const double wanted = list.sum * share;
  if (!list.sorted) {
    // All that lie below this floor hold less than what is cut off.
    const double floor = (list.sum - wanted) / double(list.count);
    if (list.count_from(floor) < list.count / 4) list.keep_from(floor);
    if (list.count > 2 * kBuckets) return cut(wanted, list);
    list.sort();
  }
  double mass = 0;
  int64_t kept = 0;
  while (kept < list.count && mass < wanted) mass += double(list.values[kept++]);
  list.keep_first(std::max<int64_t>(kept, 1));
}

// Candidates pass in their order; whenever those kept exceed the share, the least probable ones go.
// So the one that crosses the threshold is left out, and smaller ones after it may get in.
void exllamav2(double share, Candidates& list) {
  uint64_t* const heap = list.keys();
  const uint64_t first = list.key(0);
  int64_t kept = 0;
  double mass = 0;
  for (int64_t i = 0; i < list.count; i++) {
    const double p = double(list.values[i]) / list.sum;
    if (p < 1e-6) continue;
    if (mass > share && list.values[i] < key_value(heap[0])) continue;
    heap[kept++] = list.key(i);
    std::push_heap(heap, heap + kept, std::greater<>());
    mass += p;
    while (mass > share && kept > 1) {
      mass -= double(key_value(heap[0])) / list.sum;
      std::pop_heap(heap, heap + kept--, std::greater<>());
    }
  }
  if (kept == 0) heap[kept++] = first;
  list.take_keys(kept);
  list.sorted = false;
  list.sort();
}

}  // namespace

void top_p(const StageContext& context, Candidates& list) {
  const double share = context.settings.top_p;
  if (share <= 0 || share >= 1 || list.count < 2) return;
  context.settings.exllamav2 ? exllamav2(share, list) : textbook(share, list);
  list.add_up();
}

}  // namespace exl
