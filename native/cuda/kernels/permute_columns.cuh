// Inputs in the order of a weight's stored rows.
//
//   x, y          [rows, columns]  half, columns a multiple of 8
//
//   Grid      (rows, vectors of 8 columns / 256)
//   Shared    none
//   Numerics  moves only
//   Bound     memory
//   Needs     nothing
#pragma once

#include "cuda/device.cuh"

namespace exl::cuda {

// y[r, k] = x[r, permutation[k]]
struct PermuteColumns {
  const half* x;
  const uint16_t* permutation;
  half* y;
  int64_t rows;
  int columns;
};

__global__ void __launch_bounds__(256) permute_columns_kernel(const PermuteColumns p) {
  ptx::begin();
  const int k = (int(blockIdx.y) * 256 + int(threadIdx.x)) * 8;
  if (k >= p.columns) return;
  const half* from = p.x + int64_t(blockIdx.x) * p.columns;
  const auto index = load<8>(p.permutation + k);
  Vector<half, 8> v;
  for (int j = 0; j < 8; j++) v.at[j] = from[index.at[j]];
  store(p.y + int64_t(blockIdx.x) * p.columns + k, v);
}

}  // namespace exl::cuda
