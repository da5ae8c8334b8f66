// Shared memory of a block.
#pragma once

namespace exl::cuda::ptx {

// As long as the launch said, aligned to 16 bytes.
template <typename T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char memory[];
  return reinterpret_cast<T*>(memory);
}

// One T per block: the same one for all who ask for this T.
template <typename T>
__device__ __forceinline__ T& static_shared() {
  __shared__ T memory;
  return memory;
}

}  // namespace exl::cuda::ptx
