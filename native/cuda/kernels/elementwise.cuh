// Kernels that treat every element alike, or copy rows.
//
//   Grid      a thread owns kVector neighbouring elements
//   Shared    none
//   Numerics  fp32, one rounding per result
//   Bound     memory: everything is read once and written once
//   Needs     nothing
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

inline constexpr int kElementThreads = 256;

// The first of the kVector elements that this thread owns.
template <int kVector>
__device__ __forceinline__ int64_t first_element() {
  return (int64_t(blockIdx.x) * kElementThreads + threadIdx.x) * kVector;
}

template <typename T, int kVector>
__global__ void __launch_bounds__(kElementThreads) add_kernel(const AddParams p) {
  ptx::begin();
  const int64_t at = first_element<kVector>();
  if (at >= p.count) return;
  const auto a = load<kVector>(static_cast<const T*>(p.a) + at);
  const auto b = load<kVector>(p.b + at);
  Vector<T, kVector> y;
  for (int i = 0; i < kVector; i++) y.at[i] = from_float<T>(to_float(a.at[i]) + to_float(b.at[i]));
  store(static_cast<T*>(p.y) + at, y);
}

template <int kVector>
__global__ void __launch_bounds__(kElementThreads) silu_mul_kernel(const SiluMulParams p) {
  ptx::begin();
  const int64_t at = first_element<kVector>();
  if (at >= p.rows * p.columns) return;
  const int64_t from = at / p.columns * p.stride + at % p.columns;
  const auto gate = load<kVector>(p.gate + from);
  const auto up = load<kVector>(p.up + from);
  Vector<half, kVector> y;
  for (int i = 0; i < kVector; i++) {
    const float g = to_float(gate.at[i]);
    y.at[i] = __float2half_rn(__fdividef(g, 1 + __expf(-g)) * to_float(up.at[i]));
  }
  store(p.y + at, y);
}

template <typename T, int kVector>
__global__ void __launch_bounds__(kElementThreads) to_half_kernel(const ToHalfParams p) {
  ptx::begin();
  const int64_t at = first_element<kVector>();
  if (at >= p.count) return;
  const auto x = load<kVector>(static_cast<const T*>(p.x) + at);
  Vector<half, kVector> y;
  for (int i = 0; i < kVector; i++) y.at[i] = __float2half_rn(to_float(x.at[i]));
  store(p.y + at, y);
}

// Rows picked by `index`; From and To are the same type, or halves that become floats.
template <typename From, typename To>
struct PickRows {
  const From* x;
  const int32_t* index;
  To* y;
  int64_t count;
  int columns;
};

template <typename From, typename To, int kVector>
__global__ void __launch_bounds__(kElementThreads) pick_rows_kernel(const PickRows<From, To> p) {
  ptx::begin();
  const int64_t at = first_element<kVector>();
  if (at >= p.count * p.columns) return;
  const int64_t row = p.index[at / p.columns];
  const auto x = load<kVector>(p.x + row * p.columns + at % p.columns);
  Vector<To, kVector> y;
  for (int i = 0; i < kVector; i++) y.at[i] = from_float<To>(to_float(x.at[i]));
  store(p.y + at, y);
}

// A page is spread over blocks along x; y counts the pages.
__global__ void __launch_bounds__(kElementThreads) copy_pages_kernel(const CopyPagesParams p) {
  ptx::begin();
  const int64_t at = first_element<16>();
  if (at >= p.page_bytes) return;
  auto* pages = static_cast<unsigned char*>(p.pages);
  *reinterpret_cast<uint4*>(pages + p.to[blockIdx.y] * p.page_bytes + at) =
      *reinterpret_cast<const uint4*>(pages + p.from[blockIdx.y] * p.page_bytes + at);
}

}  // namespace exl::cuda
