// Where each value lives in the activation arena.
#pragma once

#include <cstddef>
#include <vector>

namespace exl {

// A value is needed from the op that writes it to the last op that reads it, both included.
struct Lifetime {
  size_t bytes;
  size_t first, last;
};

struct ArenaPlan {
  std::vector<size_t> offsets;  // multiples of 64
  size_t bytes = 0;
};

// Values whose lifetimes overlap get disjoint places. Largest first, each at the lowest place that
// is free.
ArenaPlan plan_arena(const std::vector<Lifetime>& values);

}  // namespace exl
