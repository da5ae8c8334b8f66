// Halves for the host compiler. It stands in for the toolkit's header of the same name: conversions
// are exact, and every operation rounds once, as on a GPU.
#pragma once

#include <cstdint>

#include "base/float16.h"

struct alignas(2) __half {
  uint16_t bits;
};
using half = __half;

struct alignas(4) __half2 {
  half x, y;
};
using half2 = __half2;

inline float __half2float(half h) { return exl::half_to_float(h.bits); }
inline half __float2half_rn(float x) { return {exl::float_to_half(x)}; }
inline half __ushort_as_half(uint16_t bits) { return {bits}; }
inline uint16_t __half_as_ushort(half h) { return h.bits; }

inline half2 __half2half2(half a) { return {a, a}; }
inline float __low2float(half2 a) { return __half2float(a.x); }
inline float __high2float(half2 a) { return __half2float(a.y); }
inline half2 __floats2half2_rn(float a, float b) {
  return {__float2half_rn(a), __float2half_rn(b)};
}

// The sum, difference or product of two halves, rounded to float, rounds to half as the exact one
// does: float has more than twice the bits.
inline half __hadd(half a, half b) { return __float2half_rn(__half2float(a) + __half2float(b)); }
inline half __hsub(half a, half b) { return __float2half_rn(__half2float(a) - __half2float(b)); }
inline half __hmul(half a, half b) { return __float2half_rn(__half2float(a) * __half2float(b)); }
inline half2 __hadd2(half2 a, half2 b) { return {__hadd(a.x, b.x), __hadd(a.y, b.y)}; }
inline half2 __hsub2(half2 a, half2 b) { return {__hsub(a.x, b.x), __hsub(a.y, b.y)}; }
inline half2 __hmul2(half2 a, half2 b) { return {__hmul(a.x, b.x), __hmul(a.y, b.y)}; }
