// Twin of native/cuda/launch.cuh: the kernel begins in the emulator when its stream runs. What it
// passes on as its arguments is how that is done.
#pragma once

#include <cuda_runtime.h>

#include <functional>

#include "cuda/functions.h"
#include "test/emulator/emulator.h"

namespace exl::cuda {

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Params params) {
  std::function<void()> begin = [=] {
    emulator::launch(
        {grid, block, shared_bytes, sizeof(Params), [kernel, params] { kernel(params); }});
  };
  void* arguments[] = {&begin};
  launch_function({reinterpret_cast<Function>(kernel),
                   {grid.x, grid.y, grid.z},
                   {block.x, block.y, block.z},
                   shared_bytes,
                   stream,
                   arguments});
}

}  // namespace exl::cuda
