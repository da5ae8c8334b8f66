// Starts a kernel, the only way to do so: launch(kernel, grid, block, shared_bytes, stream,
// params). Inside Device::run() only; throws the error behind a failure.
#pragma once

#include <cuda_runtime.h>

#include "cuda/functions.h"

namespace exl::cuda {

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Params params) {
  void* arguments[] = {&params};
  launch_function({reinterpret_cast<Function>(kernel),
                   {grid.x, grid.y, grid.z},
                   {block.x, block.y, block.z},
                   shared_bytes,
                   stream,
                   arguments});
}

}  // namespace exl::cuda
