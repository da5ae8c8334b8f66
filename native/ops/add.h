#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {
inline const Op add{
    .name = "add",
    .formula = "y = a + b",
    .inputs = {{"a", PortKind::Value, "... columns"}, {"b", PortKind::Value, "... columns"}},
    .outputs = {{"y", PortKind::Value, "... columns"}},
};
}

template <typename Call>
struct AddCall {
  const TensorOf<Call>&a, &b, &y;

  explicit AddCall(const Call& call) : a(call.in(0)), b(call.in(1)), y(call.out()) {}
};

}  // namespace exl
