#define EXL_TARGET neon
#define EXL_TARGET_NAME "neon"
#include "cpu/simd/neon.h"
//
#include "cpu/targets/target.inl"
