// Finding the first candidates that hold a given mass, without sorting all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

namespace exl {

// The last of the shortest prefix of `keys`, were they sorted with the largest first, whose mass
// reaches `wanted`; the last of all if none does. `keys` are reordered. n >= 1.
template <typename MassOf>
uint64_t prefix_end(uint64_t* keys, int64_t n, double wanted, const MassOf& mass_of) {
  double before = 0;
  while (n > 64) {
    const int64_t half = n / 2;
    std::nth_element(keys, keys + half, keys + n, std::greater<>());
    double mass = 0;
    for (int64_t i = 0; i < half; i++) mass += mass_of(keys[i]);
    if (before + mass >= wanted) {
      n = half;
    } else {
      before += mass;
      keys += half, n -= half;
    }
  }
  std::sort(keys, keys + n, std::greater<>());
  for (int64_t i = 0; i < n - 1; i++) {
    before += mass_of(keys[i]);
    if (before >= wanted) return keys[i];
  }
  return keys[n - 1];
}

}  // namespace exl
