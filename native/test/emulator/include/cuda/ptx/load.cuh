// Twin of native/cuda/ptx/load.cuh.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda::ptx {

inline uint4 load_once(const uint4* address) { return *address; }
inline uint2 load_once(const uint2* address) { return *address; }
inline uint32_t load_once(const uint32_t* address) { return *address; }

}  // namespace exl::cuda::ptx
