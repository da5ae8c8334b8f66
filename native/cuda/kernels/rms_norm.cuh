// RMS norm of the sum of two tensors, one block per row.
//
//   x, sum    [rows, columns]         T
//   add, y    [rows, columns]         half
//   weight    [weight_rows, columns]  half
//
//   Grid      rows blocks of kThreads; a thread owns every kThreads-th vector of kVector columns
//   Shared    one float per warp
//   Numerics  the sum is rounded to T and the norm taken of that, as if an addition had run before;
//             fp32 sum of squares in an order that kThreads and kVector alone decide
//   Bound     memory: x and add are read twice, the second time from cache
//   Needs     warp shuffles
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

template <typename T, int kVector>
__device__ __forceinline__ Vector<float, kVector> summand(const RmsNormParams& a, int64_t at) {
  const auto x = load<kVector>(static_cast<const T*>(a.x) + at);
  Vector<float, kVector> v;
  for (int i = 0; i < kVector; i++) v.at[i] = to_float(x.at[i]);
  if (a.add) {
    const auto add = load<kVector>(a.add + at);
    for (int i = 0; i < kVector; i++)
      v.at[i] = to_float(from_float<T>(v.at[i] + to_float(add.at[i])));
  }
  return v;
}

template <typename T, int kVector, int kThreads>
__global__ void __launch_bounds__(kThreads) rms_norm_kernel(const RmsNormParams a) {
  ptx::begin();
  const int64_t row = int64_t(blockIdx.x) * a.columns;
  const half* weight = a.weight + int64_t(blockIdx.x % a.weight_rows) * a.columns;

  float squares = 0;
  for (int c = threadIdx.x * kVector; c < a.columns; c += kThreads * kVector) {
    const auto v = summand<T, kVector>(a, row + c);
    for (int i = 0; i < kVector; i++) squares += v.at[i] * v.at[i];
  }

  const float scale = rsqrtf(block_sum<kThreads>(squares) / float(a.columns) + a.eps);
  for (int c = threadIdx.x * kVector; c < a.columns; c += kThreads * kVector) {
    const auto v = summand<T, kVector>(a, row + c);
    const auto w = load<kVector>(weight + c);
    Vector<half, kVector> y;
    for (int i = 0; i < kVector; i++)
      y.at[i] = __float2half_rn(v.at[i] * scale * (to_float(w.at[i]) + a.offset));
    store(a.y + row + c, y);
    if (!a.sum) continue;
    Vector<T, kVector> sum;
    for (int i = 0; i < kVector; i++) sum.at[i] = from_float<T>(v.at[i]);
    store(static_cast<T*>(a.sum) + row + c, sum);
  }
}

}  // namespace exl::cuda
