// What the linear kernels share.
#pragma once

#include "cuda/kernels/kernels.h"
#include "cuda/mma/strips.cuh"
#include "cuda/ptx/mma.cuh"

namespace exl::cuda {

// `Strips` is how weights are stored (mma/strips.cuh).
template <typename Strips>
struct LinearCall {
  Strips weights;
  const uint16_t* permutation;  // of the inputs; null: none, or already applied
  LinearRows rows;
};

// Adds what is to be added to a sum, rounds it and stores it.
__device__ __forceinline__ void finish(const LinearRows& p, int out, int64_t row, int column,
                                       float sum) {
  const int64_t at = row * out + column;
  if (p.bias) sum += to_float(p.bias[column]);
  if (p.type == Type::F32) {
    if (p.add) sum += static_cast<const float*>(p.add)[at];
    static_cast<float*>(p.y)[at] = sum;
  } else {
    if (p.add) sum += to_float(static_cast<const half*>(p.add)[at]);
    static_cast<half*>(p.y)[at] = __float2half_rn(sum);
  }
}

}  // namespace exl::cuda
