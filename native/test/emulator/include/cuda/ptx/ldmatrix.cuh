// Twin of native/cuda/ptx/ldmatrix.cuh. All rows are read when the last lane has come.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda::ptx {

inline void ldmatrix_transposed_x4(uint32_t (&d)[4], const void* row,
                                   emulator::Place place = emulator::Place::current()) {
  if (reinterpret_cast<uintptr_t>(row) % 16)
    emulator::fail("a row of a matrix that is not aligned to 16 bytes", place);
  struct Row {
    uint16_t of[8];
  };
  const emulator::Exchange& all =
      emulator::rendezvous(&row, sizeof row, place, [](emulator::Exchange& exchange) {
        for (auto& mine : exchange.of_lane) {
          const void* address;
          std::memcpy(&address, mine, sizeof address);
          std::memcpy(mine, address, sizeof(Row));
        }
      });
  const int g = emulator::lane() / 4, t = emulator::lane() % 4;
  for (int i = 0; i < 4; i++)
    d[i] = uint32_t(all.from<Row>(8 * i + 2 * t).of[g]) |
           uint32_t(all.from<Row>(8 * i + 2 * t + 1).of[g]) << 16;
}

}  // namespace exl::cuda::ptx
