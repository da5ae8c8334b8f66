// Starts a kernel, the only way to do so: launch(kernel, grid, block, shared_bytes, stream,
// params).
//
// A launch that fails leaves its error with the run time, where cudaGetLastError() finds it; a
// caller checks once per step.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda {

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Params params) {
  // Beyond 48 KB a kernel has to say so first.
  if (shared_bytes > 48 * 1024 &&
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           int(shared_bytes)) != cudaSuccess)
    return;
  void* arguments[] = {&params};
  cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, arguments, shared_bytes,
                   stream);
}

}  // namespace exl::cuda
