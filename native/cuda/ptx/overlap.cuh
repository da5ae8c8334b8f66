// Launches that overlap: from Hopper on a kernel may start while the one before it still runs, and
// does what needs nothing of it; launch() allows that of every kernel.
//
// So every thread waits before it touches memory that another kernel writes or reads: most kernels
// begin with begin(). A kernel whose threads do not wait would also end before those before it have
// ended, and what waits for it would start too early.
#pragma once

namespace exl::cuda::ptx {

// The next kernel may start once every block of this one has said so or has ended.
__device__ __forceinline__ void allow_next_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Waits until the kernels before this one have ended and all they wrote can be read.
__device__ __forceinline__ void await_last_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ void begin() {
  allow_next_launch();
  await_last_launch();
}

}  // namespace exl::cuda::ptx
