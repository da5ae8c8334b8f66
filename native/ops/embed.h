#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {
inline const Op embed{
    .name = "embed",
    .formula = "y[r, :] = table[tokens[r], :]",
    .inputs = {{"tokens", PortKind::Slot, "rows"},
               {"table", PortKind::Weight, "vocabulary hidden"}},
    .outputs = {{"y", PortKind::Value, "rows hidden"}},
    .embeds = true,
};
}

template <typename Call>
struct EmbedCall {
  const TensorOf<Call>&tokens, &y;
  WeightOf<Call> table;

  explicit EmbedCall(const Call& call) : tokens(call.in(0)), y(call.out()), table(call.weight(1)) {}
};

}  // namespace exl
