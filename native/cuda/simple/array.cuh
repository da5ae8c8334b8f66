// Reading and writing arrays whose type is known only when a kernel runs.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "cuda/launch.cuh"
#include "cuda/ptx/overlap.cuh"
#include "cuda/simple/simple.h"

namespace exl::cuda::simple {

inline constexpr int kThreads = 128;

__device__ inline float get(const Array& a, int64_t i) {
  if (a.type == EXL_F16) return __half2float(static_cast<const half*>(a.data)[i]);
  if (a.type == EXL_BF16) return __bfloat162float(static_cast<const __nv_bfloat16*>(a.data)[i]);
  return static_cast<const float*>(a.data)[i];
}

__device__ inline void put(const Array& a, int64_t i, float x) {
  if (a.type == EXL_F16)
    static_cast<half*>(a.data)[i] = __float2half_rn(x);
  else
    static_cast<float*>(a.data)[i] = x;
}

// The number of this thread in the grid.
__device__ inline int64_t thread() { return int64_t(blockIdx.x) * kThreads + threadIdx.x; }

// One thread for each of `count` results.
template <typename Params>
void launch_each(void (*kernel)(Params), Stream stream, int64_t count, const Params& params) {
  if (count == 0) return;
  const auto blocks = unsigned((count + kThreads - 1) / kThreads);
  launch(kernel, dim3(blocks), dim3(kThreads), 0, stream, params);
}

}  // namespace exl::cuda::simple
