// Inputs in the order of a weight's stored rows.
//
//   x, y          [rows, columns]  half, columns a multiple of 8
//
//   Grid      (rows, vectors of 8 columns / 256, layers)
//   Shared    none
//   Numerics  moves only
//   Bound     memory
//   Needs     nothing
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

// y[r, k] = x[r, permutation[k]] for each layer.
struct PermuteColumns {
  const half* x;
  int columns;
  struct {
    const uint16_t* permutation;
    half* y;
  } layers[kMostLayersAtOnce];
};

__global__ void __launch_bounds__(256)
    permute_columns_kernel(const __grid_constant__ PermuteColumns p) {
  ptx::begin();
  const int k = (int(blockIdx.y) * 256 + int(threadIdx.x)) * 8;
  if (k >= p.columns) return;
  const auto& layer = p.layers[blockIdx.z];
  const half* from = p.x + int64_t(blockIdx.x) * p.columns;
  const auto index = load<8>(layer.permutation + k);
  Vector<half, 8> v;
  for (int j = 0; j < 8; j++) v.at[j] = from[index.at[j]];
  store(layer.y + int64_t(blockIdx.x) * p.columns + k, v);
}

}  // namespace exl::cuda
