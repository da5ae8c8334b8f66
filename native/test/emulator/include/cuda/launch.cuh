// Twin of native/cuda/launch.cuh: the kernel has run after emulator::synchronise().
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda {

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t,
            Params params) {
  emulator::launch(
      {grid, block, shared_bytes, sizeof(Params), [kernel, params] { kernel(params); }});
}

}  // namespace exl::cuda
