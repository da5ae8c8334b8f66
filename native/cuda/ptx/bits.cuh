// Bit arithmetic that is one instruction on a GPU.
#pragma once

#include <cstdint>

namespace exl::cuda::ptx {

// (x & mask) | bits. The compiler does not always see that this is one.
__device__ __forceinline__ uint32_t and_or(uint32_t x, uint32_t mask, uint32_t bits) {
  uint32_t result;
  // 0xea is the truth table of (a & b) | c.
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(result) : "r"(x), "r"(mask), "r"(bits));
  return result;
}

}  // namespace exl::cuda::ptx
