// Twin of native/cuda/ptx/overlap.cuh: some blocks start while launches before have yet to run, and
// a thread that ends without having waited is an error.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda::ptx {

inline void allow_next_launch() {}
inline void await_last_launch() { emulator::await_last_launch(); }
inline void begin() { await_last_launch(); }

}  // namespace exl::cuda::ptx
