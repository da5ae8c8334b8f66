#define EXL_TARGET avx512vnni
#define EXL_TARGET_NAME "avx512vnni"
#define EXL_SIMD_VNNI
#include "cpu/simd/avx512.h"
//
#include "cpu/targets/target.inl"
