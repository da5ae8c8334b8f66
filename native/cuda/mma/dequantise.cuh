// From codes to the halves they stand for, in registers: fp16((code - zero) * scale), to the bit.
#pragma once

#include "cuda/device.cuh"
#include "cuda/ptx/bits.cuh"
#include "cuda/quant_weight.h"

namespace exl::cuda {

// A lane's weights of a chunk, as the tensor cores take them: [s][f][r] of quant_weight.h.
using WeightFragment = uint32_t[2][4][2];

// Adds plane `kWidth` bits wide of pair `j` to `pair`, at bit `kShift` of both halves.
template <int kWidth, int kShift>
__device__ __forceinline__ uint32_t add_plane(uint32_t pair, const uint32_t* words, int j) {
  constexpr uint32_t kMask = ((1u << kWidth) - 1) * 0x00010001u << kShift;
  const uint32_t word = words[j * kWidth / 16];
  const int right = j * kWidth % 16 - kShift;
  return ptx::and_or(right >= 0 ? word >> right : word << -right, kMask, pair);
}

// `codes` are the chunk's planes. With 1024 in its upper bits a half counts in ones, so a code
// becomes a number without a conversion: 0x6400 | code is 1024 + code. `zeros` are 1024 more, too.
template <int kBits>
__device__ __forceinline__ void dequantise(const uint32_t* codes, const half2 (&zeros)[4],
                                           const half2 (&scales)[4], WeightFragment& b) {
  constexpr int kLow = kBits >= 4 ? 4 : 2, kHigh = kBits - kLow;
  const int lane = threadIdx.x % kWarp;
  const auto low = load<kLow>(codes + lane * kLow);
  Vector<uint32_t, kHigh ? kHigh : 1> high{};
  if constexpr (kHigh > 0) high = load<kHigh>(codes + kWarp * kLow + lane * kHigh);
#pragma unroll
  for (int j = 0; j < 16; j++) {
    uint32_t pair = add_plane<kLow, 0>(0x64006400u, low.at, j);
    if constexpr (kHigh > 0) pair = add_plane<kHigh, kLow>(pair, high.at, j);
    const int f = j / 2 % 4;
    const half2 weight = __hmul2(__hsub2(bits_as<half2>(pair), zeros[f]), scales[f]);
    b[j / 8][f][j % 2] = bits_as<uint32_t>(weight);
  }
}

}  // namespace exl::cuda
