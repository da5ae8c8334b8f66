#define EXL_TARGET avx512
#define EXL_TARGET_NAME "avx512"
#include "cpu/simd/avx512.h"
//
#include "cpu/targets/target.inl"
