#include <cmath>

#include "ops/add.h"
#include "ops/silu_mul.h"
#include "reference/reference.h"

namespace exl::reference {

namespace {

void add(Backend&, const Call& call, const Run&) {
  const AddCall op(call);
  for (int64_t i = 0; i < element_count(op.y.shape); i++)
    op.y.as<double>()[i] = op.a.as<double>()[i] + op.b.as<double>()[i];
}

void silu_mul(Backend&, const Call& call, const Run&) {
  const SiluMulCall op(call);
  for (int64_t i = 0; i < element_count(op.y.shape); i++) {
    const double g = op.gate.as<double>()[i];
    op.y.as<double>()[i] = g / (1 + std::exp(-g)) * op.up.as<double>()[i];
  }
}

constexpr Kernel kKernels[] = {
    {.op = &ops::add, .name = "reference", .run = add},
    {.op = &ops::silu_mul, .name = "reference", .run = silu_mul},
};

}  // namespace

constinit const Kernels elementwise_kernels = kKernels;

}  // namespace exl::reference
