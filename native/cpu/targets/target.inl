// The body of every target: all kernels, compiled for one instruction set.
#include "cpu/inline.h"
#include "cpu/kernels.h"

namespace exl::cpu::EXL_TARGET {

namespace {
#include "cpu/kernels/math.inl"
//
#include "cpu/kernels/cache.inl"
//
#include "cpu/kernels/attention.inl"
#include "cpu/kernels/float_linear.inl"
#include "cpu/kernels/paired.inl"
//
#include "cpu/kernels/quant_linear.inl"
#include "cpu/kernels/rows.inl"
}  // namespace

extern const Target target = {
    .name = EXL_TARGET_NAME,
    .quant_linear = quant_linear,
    .float_linear = float_linear,
    .quantise = quantise,
    .norm = norm,
    .rope = rope,
    .add = add_rows,
    .silu_mul = silu_mul,
    .encode = encode,
    .attention = attention,
};

}  // namespace exl::cpu::EXL_TARGET
