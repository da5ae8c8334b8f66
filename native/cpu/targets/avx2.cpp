#define EXL_TARGET avx2
#define EXL_TARGET_NAME "avx2"
#include "cpu/simd/avx2.h"
//
#include "cpu/targets/target.inl"
