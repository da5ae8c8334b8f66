#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {
inline const Op gather_rows{
    .name = "gather_rows",
    .formula = "y[i, :] = x[outputs[i], :]",
    .inputs = {{"x", PortKind::Value, "rows columns"}, {"outputs", PortKind::Slot, "outputs"}},
    .outputs = {{"y", PortKind::Value, "outputs columns"}},
};
}

template <typename Call>
struct GatherRowsCall {
  const TensorOf<Call>&x, &outputs, &y;

  explicit GatherRowsCall(const Call& call) : x(call.in(0)), outputs(call.in(1)), y(call.out()) {}
};

}  // namespace exl
