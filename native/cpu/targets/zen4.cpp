// avx512vnni for processors that add beside multiplying: AMD's, from Zen 4 on.
#define EXL_TARGET zen4
#define EXL_TARGET_NAME "zen4"
#define EXL_SIMD_VNNI
#define EXL_SIMD_PAIRED
#include "cpu/simd/avx512.h"
//
#include "cpu/targets/target.inl"
