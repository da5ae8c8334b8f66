// Loads four 8x8 tiles of halves from shared memory, transposed on the way: lane 8i + r passes the
// address of row r of tile i, 16 bytes aligned to 16.
//
// With g = lane / 4 and t = lane % 4, d[i] holds elements [2t, g] and [2t + 1, g] of tile i: what
// mma wants of a B that lies in memory row by row.
#pragma once

#include <cstdint>

namespace exl::cuda::ptx {

__device__ __forceinline__ void ldmatrix_transposed_x4(uint32_t (&d)[4], const void* row) {
  const uint32_t address = uint32_t(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
}

}  // namespace exl::cuda::ptx
