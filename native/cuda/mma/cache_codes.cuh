// Keys and values in fewer bits: the rotation, how a group is written, and how tiles are read.
//
// H[i][j] = (-1)^popcount(i & j) is its own inverse but for a factor of 32, so the cache is never
// rotated back: q . k = (H q / 32) . (H k), and a mix of values is rotated once, after it is mixed.
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

__host__ __device__ constexpr int code_bits(CacheCode code) {
  return code == CacheCode::F16 ? 16 : code == CacheCode::Int4 ? 4 : 8;
}
__host__ __device__ constexpr bool is_rotated(CacheCode code) {
  return code == CacheCode::Int8 || code == CacheCode::Int4;
}

// One step of the rotation between two elements: the sum to the lower, the difference to the upper.
__device__ __forceinline__ void butterfly(float& low, float& high) {
  const float sum = low + high;
  high = low - high;
  low = sum;
}

// The same with an element of the lane whose number differs in the bit `flip`.
__device__ __forceinline__ float butterfly(float x, int flip) {
  const float other = __shfl_xor_sync(kAllLanes, x, flip);
  return threadIdx.x & unsigned(flip) ? other - x : x + other;
}

// Stores one group, of which each lane has an element.
__device__ __forceinline__ void store_group(CacheCode code, half value, unsigned char* codes,
                                            half* scale) {
  const int lane = threadIdx.x % kWarp;
  if (code == CacheCode::E5M2) {
    // To nearest even among the upper bytes of halves; infinity is one step beyond the largest.
    const uint32_t bits = bits_as<uint16_t>(value), magnitude = bits & 0x7fff;
    const uint32_t rounded = min((magnitude + 0x7f + (magnitude >> 8 & 1)) >> 8, 0x7bu);
    codes[lane] = uint8_t((bits >> 15 << 7) | (magnitude > 0x7c00 ? 0x7eu : rounded));
    return;
  }
  float x = to_float(value);
  for (int flip = 1; flip < kCacheGroup; flip *= 2) x = butterfly(x, flip);
  const bool is_nan = __ballot_sync(kAllLanes, x != x) != 0;
  const float largest = code == CacheCode::Int8 ? 127 : 15;
  const half rounded = __float2half_rn(fminf(warp_max(fabsf(x)) / largest, 65504));
  if (lane == 0) *scale = is_nan ? __float2half_rn(NAN) : rounded;
  const float step = to_float(rounded);
  const float number = step > 0 && !is_nan ? x / step : 0;
  if (code == CacheCode::Int8) {
    codes[lane] = uint8_t(int8_t(rintf(fminf(fmaxf(number, -127), 127))));
    return;
  }
  const uint32_t own = uint32_t(rintf(fminf(fmaxf((number + 15) / 2, 0), 15)));
  const uint32_t other = __shfl_xor_sync(kAllLanes, own, 1);
  if (lane % 2 == 0) codes[lane / 2] = uint8_t(own | other << 4);
}

// Eight neighbouring elements from their codes, in the rotated domain where there is one.
__device__ __forceinline__ Vector<uint32_t, 4> read_codes(CacheCode code,
                                                          const unsigned char* codes, half scale) {
  const auto number = [](uint32_t pair, uint32_t zero) {
    // 1024 + code, as in dequantise.cuh.
    return __hsub2(bits_as<half2>(pair | 0x64006400u), bits_as<half2>(zero));
  };
  Vector<uint32_t, 4> v;
  if (code == CacheCode::Int4) {
    const auto word = load<1>(reinterpret_cast<const uint32_t*>(codes)).at[0];
    const half2 fifteen = __half2half2(__float2half_rn(15));
    for (int i = 0; i < 4; i++) {
      const uint32_t byte = word >> (8 * i);
      const half2 n = number((byte & 0xf) | (byte & 0xf0) << 12, 0x64006400u);
      v.at[i] = bits_as<uint32_t>(__hmul2(__hsub2(__hadd2(n, n), fifteen), __half2half2(scale)));
    }
    return v;
  }
  const auto words = load<2>(reinterpret_cast<const uint32_t*>(codes));
  for (int i = 0; i < 4; i++) {
    const uint32_t pair = words.at[i / 2] >> (16 * (i % 2));
    if (code == CacheCode::E5M2) {
      v.at[i] = (pair & 0xff) << 8 | (pair & 0xff00) << 16;
      continue;
    }
    const uint32_t raised = pair ^ 0x8080u;  // 128 more, so that none is negative
    const half2 n = number((raised & 0xff) | (raised & 0xff00) << 8, 0x64806480u);
    v.at[i] = bits_as<uint32_t>(__hmul2(n, __half2half2(scale)));
  }
  return v;
}

}  // namespace exl::cuda
