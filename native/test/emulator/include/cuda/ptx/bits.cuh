// Twin of native/cuda/ptx/bits.cuh.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda::ptx {

inline uint32_t and_or(uint32_t x, uint32_t mask, uint32_t bits) { return (x & mask) | bits; }

}  // namespace exl::cuda::ptx
