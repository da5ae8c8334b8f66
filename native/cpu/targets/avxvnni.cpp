#define EXL_TARGET avxvnni
#define EXL_TARGET_NAME "avxvnni"
#define EXL_SIMD_VNNI
#include "cpu/simd/avx2.h"
//
#include "cpu/targets/target.inl"
