// Twin of native/cuda/launch.cuh for kernels.cu, which has no device of the library's: launches as
// that does, in the current context.
#pragma once

#include <cuda_runtime.h>

namespace exl::cuda {

// Of --no-overlap.
inline bool may_overlap = true;

template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Params params) {
  cudaFuncAttributes attributes{};
  int device = 0, most = 0;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaFuncGetAttributes(&attributes, kernel) != cudaSuccess ||
      cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) != cudaSuccess)
    return;
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           most - int(attributes.sharedSizeBytes)) != cudaSuccess)
    return;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &overlap;
  config.numAttrs = may_overlap && attributes.ptxVersion >= 90 ? 1 : 0;
  void* arguments[] = {&params};
  cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), arguments);
}

}  // namespace exl::cuda
