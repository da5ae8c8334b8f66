// What native/cuda/simple uses of the CUDA language. Stands in for native/test/emulator/include.
#pragma once

#include <cmath>
#include <cstdint>

#include "test/emulator/emulator.h"

#define __global__
#define __device__
#define threadIdx (::emulator::now.thread)
#define blockIdx (::emulator::now.block)

struct CUstream_st;
using cudaStream_t = CUstream_st*;

struct dim3 : emulator::Index {
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : Index{x_, y_, z_} {}
};
