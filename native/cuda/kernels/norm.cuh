// RMS or layer norm of the sum of two tensors, one block per row.
//
//   x, sum        [rows, columns]         T
//   add, y        [rows, columns]         half
//   weight, bias  [weight_rows, columns]  half
//
//   Grid      rows blocks of kThreads; a thread owns every kThreads-th vector of kVector columns
//   Shared    one float per warp
//   Numerics  the sum is rounded to T and the norm taken of that, as if an addition had run before;
//             fp32 sums in an order that kThreads and kVector alone decide; the variance is that of
//             differences to the mean, not one of squares, which would lose it to a large mean
//   Bound     memory: x and add are read twice or three times, all but the first from cache
//   Needs     warp shuffles
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

template <typename T, int kVector>
__device__ __forceinline__ Vector<float, kVector> summand(const NormParams& a, int64_t at) {
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

template <typename T, int kVector, int kThreads, bool kCentred>
__global__ void __launch_bounds__(kThreads) norm_kernel(const NormParams a) {
  ptx::begin();
  const int64_t row = int64_t(blockIdx.x) * a.columns;
  const int64_t weights = int64_t(blockIdx.x % a.weight_rows) * a.columns;

  float mean = 0;
  if constexpr (kCentred) {
    for (int c = threadIdx.x * kVector; c < a.columns; c += kThreads * kVector) {
      const auto v = summand<T, kVector>(a, row + c);
      for (int i = 0; i < kVector; i++) mean += v.at[i];
    }
    mean = block_sum<kThreads>(mean) / float(a.columns);
  }

  float squares = 0;
  for (int c = threadIdx.x * kVector; c < a.columns; c += kThreads * kVector) {
    const auto v = summand<T, kVector>(a, row + c);
    for (int i = 0; i < kVector; i++) squares += (v.at[i] - mean) * (v.at[i] - mean);
  }

  const float scale = rsqrtf(block_sum<kThreads>(squares) / float(a.columns) + a.eps);
  for (int c = threadIdx.x * kVector; c < a.columns; c += kThreads * kVector) {
    const auto v = summand<T, kVector>(a, row + c);
    const auto w = load<kVector>(a.weight + weights + c);
    Vector<half, kVector> bias{};
    if (a.bias) bias = load<kVector>(a.bias + weights + c);
    Vector<half, kVector> y;
    for (int i = 0; i < kVector; i++)
      y.at[i] = __float2half_rn((v.at[i] - mean) * scale * (to_float(w.at[i]) + a.offset) +
                                (a.bias ? to_float(bias.at[i]) : 0));
    store(a.y + row + c, y);
    if (!a.sum) continue;
    Vector<T, kVector> sum;
    for (int i = 0; i < kVector; i++) sum.at[i] = from_float<T>(v.at[i]);
    store(static_cast<T*>(a.sum) + row + c, sum);
  }
}

}  // namespace exl::cuda
