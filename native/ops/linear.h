#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {
inline const Op linear{
    .name = "linear",
    .formula = "y[r, n] = sum over k of x[r, k] * weight[n, k] + bias[n]",
    .inputs = {{"x", PortKind::Value, "... in"},
               {"weight", PortKind::Weight, "out in"},
               {"bias", PortKind::Weight, "out", true}},
    .outputs = {{"y", PortKind::Value, "... out"}},
    .makes_logits = true,
};
}

template <typename Call>
struct LinearCall {
  const TensorOf<Call>&x, &y;
  WeightOf<Call> weight, bias;

  explicit LinearCall(const Call& call)
      : x(call.in(0)), y(call.out()), weight(call.weight(1)), bias(call.weight(2)) {}
};

}  // namespace exl
