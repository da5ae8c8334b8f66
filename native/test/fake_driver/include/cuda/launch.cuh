// Twin of native/cuda/launch.cuh: the kernel begins in the emulator when its stream runs.
#pragma once

#include <cuda_runtime.h>

#include "test/emulator/emulator.h"
#include "test/fake_driver/fake.h"

namespace exl::cuda {

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Params params) {
  fake::enqueue(stream, [=] {
    emulator::launch(
        {grid, block, shared_bytes, sizeof(Params), [kernel, params] { kernel(params); }});
  });
}

}  // namespace exl::cuda
