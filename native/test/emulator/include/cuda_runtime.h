// What kernels use of the CUDA language and its run time, for the host compiler. It stands in for
// the toolkit's header of the same name.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "test/emulator/emulator.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)

#define threadIdx (::emulator::builtins().thread)
#define blockIdx (::emulator::builtins().block)
#define blockDim (::emulator::builtins().block_size)
#define gridDim (::emulator::builtins().grid_size)

struct CUstream_st;
using cudaStream_t = CUstream_st*;

struct dim3 : emulator::Index {
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : Index{x_, y_, z_} {}
};

// Accesses through these are aligned to their size, as on a GPU; UBSan checks that.
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

using std::max;
using std::min;

inline float rsqrtf(float x) { return float(1.0 / std::sqrt(double(x))); }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }

template <typename T>
T __ldg(const T* address) {
  return *address;
}

inline void __syncthreads(emulator::Place place = emulator::Place::current()) {
  emulator::barrier(place);
}

// Every use names the whole warp: a kernel that needs less is better written otherwise.
inline void check_full_mask(uint32_t mask, emulator::Place place) {
  if (mask != 0xffffffffu) emulator::fail("an operation of a part of a warp", place);
}

inline void __syncwarp(uint32_t mask = 0xffffffffu,
                       emulator::Place place = emulator::Place::current()) {
  check_full_mask(mask, place);
  emulator::rendezvous(nullptr, 0, place);
}

template <typename T>
T __shfl_xor_sync(uint32_t mask, T value, int flip,
                  emulator::Place place = emulator::Place::current()) {
  check_full_mask(mask, place);
  return emulator::rendezvous(&value, sizeof value, place)
      .template from<T>((emulator::lane() ^ flip) & 31);
}

inline uint32_t __ballot_sync(uint32_t mask, bool holds,
                              emulator::Place place = emulator::Place::current()) {
  check_full_mask(mask, place);
  const emulator::Exchange& all = emulator::rendezvous(&holds, sizeof holds, place);
  uint32_t bits = 0;
  for (int i = 0; i < 32; i++) bits |= uint32_t(all.from<bool>(i)) << i;
  return bits;
}

inline uint32_t __float_as_uint(float x) { return __builtin_bit_cast(uint32_t, x); }

// One thread runs at a time.
template <typename T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address += value;
  return before;
}
