#pragma once

#include "core/float16.h"

struct half {
  uint16_t bits;
};
inline float __half2float(half h) { return exl::half_to_float(h.bits); }
inline half __float2half_rn(float x) { return {exl::float_to_half(x)}; }
inline half __ushort_as_half(uint16_t bits) { return {bits}; }
