// Twin of native/cuda/ptx/mma.cuh. Sums are exact to a double and rounded once.
#pragma once

#include <cuda_runtime.h>

#include "base/float16.h"

namespace exl::cuda::ptx {

inline void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                        emulator::Place place = emulator::Place::current()) {
  struct Mine {
    uint32_t a[4], b[2];
  };
  Mine mine;
  std::memcpy(mine.a, a, sizeof a);
  std::memcpy(mine.b, b, sizeof b);
  const emulator::Exchange& all = emulator::rendezvous(&mine, sizeof mine, place);
  const auto half_of = [](uint32_t pair, int i) {
    return double(half_to_float(uint16_t(i ? pair >> 16 : pair)));
  };
  const int g = emulator::lane() / 4, t = emulator::lane() % 4;
  for (int i = 0; i < 4; i++) {
    const int row = g + i / 2 * 8, column = 2 * t + i % 2;
    double sum = double(d[i]);
    for (int k = 0; k < 16; k++) {
      const int owner = k % 8 / 2, deep = k / 8;
      const Mine& left = all.from<Mine>(row % 8 * 4 + owner);
      const Mine& right = all.from<Mine>(column * 4 + owner);
      sum += half_of(left.a[row / 8 + 2 * deep], k % 2) * half_of(right.b[deep], k % 2);
    }
    d[i] = float(sum);
  }
}

}  // namespace exl::cuda::ptx
