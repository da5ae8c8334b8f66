// Twin of native/cuda/ptx/shared.cuh.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda::ptx {

template <typename T>
T* dynamic_shared() {
  return static_cast<T*>(emulator::dynamic_shared());
}

template <typename T>
T& static_shared() {
  static const char key = 0;
  return *static_cast<T*>(emulator::static_shared(&key, sizeof(T)));
}

}  // namespace exl::cuda::ptx
