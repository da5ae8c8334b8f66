// Twin of native/cuda/ptx/cp_async.cuh: copies arrive as late as they may, and read early or late.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda::ptx {

inline void cp_async_16(void* target, const void* source, bool present = true) {
  emulator::copy_async(target, source, 16, present);
}

inline void cp_async_commit() { emulator::commit_copies(); }

template <int kLeft>
void cp_async_wait() {
  emulator::wait_copies(kLeft);
}

}  // namespace exl::cuda::ptx
