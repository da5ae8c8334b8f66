// Copies from device memory to shared memory that a thread starts and waits for later.
//
// Turing has none: there the copy is made at once, which the same waits cover.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace exl::cuda::ptx {

// 16 bytes, both addresses aligned to 16; zeros if not `present`, whose source is not read.
__device__ __forceinline__ void cp_async_16(void* target, const void* source, bool present = true) {
#if __CUDA_ARCH__ >= 800
  const uint32_t address = uint32_t(__cvta_generic_to_shared(target));
  // .cg: past L1, which has no use for what goes to shared memory.
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(source), "r"(present ? 16 : 0)
               : "memory");
#else
  *static_cast<uint4*>(target) =
      present ? *static_cast<const uint4*>(source) : make_uint4(0, 0, 0, 0);
#endif
}

// Closes a group: the copies this thread started since the last commit.
__device__ __forceinline__ void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all but the last `kLeft` groups of this thread have arrived. Other threads see them
// after a barrier.
template <int kLeft>
__device__ __forceinline__ void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

}  // namespace exl::cuda::ptx
