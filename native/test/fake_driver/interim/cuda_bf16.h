#pragma once

#include "core/float16.h"

struct __nv_bfloat16 {
  uint16_t bits;
};
inline float __bfloat162float(__nv_bfloat16 b) { return exl::bfloat_to_float(b.bits); }
