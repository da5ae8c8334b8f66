// Bfloats for the host compiler; stands in for the toolkit's header of the same name.
#pragma once

#include <cstdint>

#include "base/float16.h"

struct alignas(2) __nv_bfloat16 {
  uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 b) { return exl::bfloat_to_float(b.bits); }
