#define EXL_TARGET scalar
#define EXL_TARGET_NAME "scalar"
#include "cpu/simd/scalar.h"
//
#include "cpu/targets/target.inl"
