// From weights as library/backend_api.h has them to the layout of quant_weight.h. Runs once, when a model loads.
//
//   Grid      a warp per chunk and strip for codes; a thread per scale
//   Shared    none
//   Numerics  codes, scales and zero points are moved
//   Bound     memory
//   Needs     nothing
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

inline constexpr int kRepackWarps = 4;

// Moves one plane of a code to where pair `j` of its lane has it.
__device__ __forceinline__ void put_plane(uint32_t* words, int width, int j, int upper,
                                          uint32_t bits) {
  words[j * width / 16] |= bits << (j * width % 16 + 16 * upper);
}

__global__ void __launch_bounds__(kRepackWarps* kWarp)
    repack_codes_kernel(const RepackCodesParams p) {
  ptx::begin();
  const int chunks = int(ceil_div(p.in, kChunkInputs));
  const int chunk = int(blockIdx.x) * kRepackWarps + int(threadIdx.x) / kWarp;
  if (chunk >= chunks) return;
  const int strip = int(blockIdx.y), lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const ChunkPlace place{p.chunks[chunk]};
  const int bits = place.bits(), low = bits >= 4 ? 4 : 2, high = bits - low;
  uint32_t low_words[4] = {}, high_words[4] = {};
  for (int j = 0; j < 16; j++)
    for (int upper = 0; upper < 2; upper++) {
      const int k = chunk * kChunkInputs + 8 * t + j / 8 * 4 + j % 2 * 2 + upper;
      const int n = strip * kStripOutputs + j / 2 % 4 * 8 + g;
      uint32_t code = 0;
      if (k < p.in && n < p.out) {
        const int shift = p.places[k] % 32;
        const uint32_t* word = p.words + int64_t(p.places[k] / 32) * p.out + n;
        code = word[0] >> shift;
        if (shift + bits > 32) code |= word[p.out] << (32 - shift);
        code &= (1u << bits) - 1;
      }
      put_plane(low_words, low, j, upper, code & ((1u << low) - 1));
      if (high) put_plane(high_words, high, j, upper, code >> low);
    }
  uint32_t* to = p.codes + strip * p.words_per_strip + place.first_word();
  for (int i = 0; i < low; i++) to[lane * low + i] = low_words[i];
  for (int i = 0; i < high; i++) to[kWarp * low + lane * high + i] = high_words[i];
}

// Grid: (groups, strips), a thread per output of the strip.
__global__ void __launch_bounds__(kStripOutputs) repack_scales_kernel(const RepackScalesParams p) {
  ptx::begin();
  const int group = blockIdx.x, strip = blockIdx.y;
  const int column = strip * kStripOutputs + int(threadIdx.x);
  const int64_t from = int64_t(group) * p.out + column;
  half scale = __float2half_rn(0);
  int zero = 0;
  if (column < p.out) {
    scale = p.scales[from];
    if (p.zeros) zero = p.zeros[from];
  }
  const int f = int(threadIdx.x) / 8, g = int(threadIdx.x) % 8;
  const int64_t to = (int64_t(strip) * p.groups + group) * kStripOutputs + 4 * g + f;
  p.to_scales[to] = scale;
  if (p.to_zeros) p.to_zeros[to] = uint8_t(zero);
}

}  // namespace exl::cuda
