// The tensor cores' product of half tiles: D += A B with A [16, 16], B [16, 8], D [16, 8] in fp32.
//
// With g = lane / 4 and t = lane % 4, two halves a register, the lower index in the lower half:
//
// clang-format off
//   a[0] = A[g, 2t..]   a[1] = A[g + 8, 2t..]   a[2] = A[g, 2t + 8..]   a[3] = A[g + 8, 2t + 8..]
//   b[0] = B[2t.., g]   b[1] = B[2t + 8.., g]
//   d[0] = D[g, 2t]     d[1] = D[g, 2t + 1]     d[2] = D[g + 8, 2t]     d[3] = D[g + 8, 2t + 1]
// clang-format on
//
// The order of the 16 products of a sum is the hardware's own, and not specified; the sum of one
// element depends on its row of A and column of B alone.
#pragma once

#include <cstdint>

namespace exl::cuda::ptx {

__device__ __forceinline__ void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4],
                                            const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  // Turing has half the depth: columns 0-7 of A and rows 0-7 of B, then the rest.
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b[0]));
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

}  // namespace exl::cuda::ptx
