// Small things that kernels share.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "cuda/ptx/overlap.cuh"
#include "cuda/ptx/shared.cuh"

namespace exl::cuda {

inline constexpr int kWarp = 32;
inline constexpr uint32_t kAllLanes = 0xffffffffu;

__host__ __device__ constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The same bits as another type.
template <typename To, typename From>
__device__ __forceinline__ To bits_as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(half x) { return __half2float(x); }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ half from_float<half>(float x) {
  return __float2half_rn(x);
}

// `kCount` neighbouring elements, one memory access of up to 16 bytes each.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount < 16 ? sizeof(T) * kCount : 16) Vector {
  T at[kCount];
};

template <int kCount, typename T>
__device__ __forceinline__ Vector<T, kCount> load(const T* from) {
  return *reinterpret_cast<const Vector<T, kCount>*>(from);
}

template <typename T, int kCount>
__device__ __forceinline__ void store(T* to, const Vector<T, kCount>& v) {
  *reinterpret_cast<Vector<T, kCount>*>(to) = v;
}

// The sum over a warp, in every lane: pairs of lanes in a fixed order.
__device__ __forceinline__ float warp_sum(float x) {
  for (int flip = kWarp / 2; flip > 0; flip /= 2) x += __shfl_xor_sync(kAllLanes, x, flip);
  return x;
}

__device__ __forceinline__ float warp_max(float x) {
  for (int flip = kWarp / 2; flip > 0; flip /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, flip));
  return x;
}

// The sum over a block of `kThreads`, in every thread, in an order that only kThreads decides.
template <int kThreads>
__device__ float block_sum(float x) {
  constexpr int kWarps = kThreads / kWarp;
  struct Storage {
    float of_warp[kWarps];
  };
  auto& shared = ptx::static_shared<Storage>();
  x = warp_sum(x);
  if (threadIdx.x % kWarp == 0) shared.of_warp[threadIdx.x / kWarp] = x;
  __syncthreads();  // the sums of all warps are written
  float sum = 0;
  for (int warp = 0; warp < kWarps; warp++) sum += shared.of_warp[warp];
  __syncthreads();  // all have read: the storage may be used again
  return sum;
}

}  // namespace exl::cuda
