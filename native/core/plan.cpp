#include "core/plan.h"

#include <algorithm>
#include <numeric>

namespace exl {

ArenaPlan plan_arena(const std::vector<Lifetime>& values) {
  constexpr size_t alignment = 64;
  ArenaPlan plan{std::vector<size_t>(values.size()), 0};
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a].bytes > values[b].bytes; });

  const auto padded = [&](size_t v) {
    return (values[v].bytes + alignment - 1) / alignment * alignment;
  };
  std::vector<size_t> placed;  // by offset
  for (const size_t v : order) {
    size_t offset = 0;
    for (const size_t other : placed) {
      if (values[other].last < values[v].first || values[v].last < values[other].first) continue;
      if (offset + padded(v) <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + padded(other));
    }
    plan.offsets[v] = offset;
    plan.bytes = std::max(plan.bytes, offset + padded(v));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [&](size_t at, size_t p) { return at < plan.offsets[p]; }),
                  v);
  }
  return plan;
}

}  // namespace exl
