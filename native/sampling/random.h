// Random numbers by position: number n of a stream needs none of the numbers before it.
#pragma once

#include <cstdint>

namespace exl {

enum class Stream : uint64_t { Draw = 0, Xtc = 0x5851f42d4c957f2d };

// SplitMix64 (Steele, Lea and Flood, 2014) over seed and position. In [0, 1).
inline double uniform(uint64_t seed, Stream stream, uint64_t n) {
  uint64_t z = (seed ^ uint64_t(stream)) + (n + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return double(z >> 11) * 0x1p-53;
}

}  // namespace exl
