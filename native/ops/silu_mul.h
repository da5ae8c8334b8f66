#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {
// silu(g) = g / (1 + exp(-g)).
inline const Op silu_mul{
    .name = "silu_mul",
    .formula = "y = silu(gate) * up",
    .inputs = {{"gate", PortKind::Value, "... columns"}, {"up", PortKind::Value, "... columns"}},
    .outputs = {{"y", PortKind::Value, "... columns"}},
};
}  // namespace ops

template <typename Call>
struct SiluMulCall {
  const TensorOf<Call>&gate, &up, &y;

  explicit SiluMulCall(const Call& call) : gate(call.in(0)), up(call.in(1)), y(call.out()) {}
};

}  // namespace exl
