#pragma once

#include <string>

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {
// Causal by position: row r sees positions max(0, p - window + 1) .. p of its sequence, p =
// positions[r]. Query head h reads key head h / (heads / key_heads). softcap 0: none; window 0:
// unlimited.
inline const Op attention{
    .name = "attention",
    .formula = "y = softmax(softcap * tanh(scale * q . k / softcap)) . v",
    .inputs = {{"q", PortKind::Value, "rows heads dim"},
               {"cache", PortKind::Cache, "key_heads dim"},
               {"positions", PortKind::Slot, "rows"},
               {"sequences", PortKind::Slot, "rows"},
               {"pages", PortKind::Slot, "sequences pages"}},
    .outputs = {{"y", PortKind::Value, "rows heads dim"}},
    .attributes = {{"scale", 1, true},
                   {"window", 0, false, Takes::Count},
                   {"softcap", 0, false, Takes::NotNegative}},
    .objects = [](const Dims& dims) -> std::string {
      const int64_t heads = dims.at("heads"), key_heads = dims.at("key_heads");
      if (heads % key_heads == 0) return {};
      return std::to_string(heads) + " query heads cannot share " + std::to_string(key_heads) +
             " key heads evenly";
    },
};
}  // namespace ops

template <typename Call>
struct AttentionCall {
  const TensorOf<Call>&q, &y;
  const CacheOf<Call>& cache;
  StepSlots<Call> step;
  double scale, softcap;
  int64_t window;

  explicit AttentionCall(const Call& call)
      : q(call.in(0)),
        y(call.out()),
        cache(call.cache(1)),
        step(call, 2),
        scale(call.attribute("scale")),
        softcap(call.attribute("softcap")),
        window(int64_t(call.attribute("window"))) {}
};

}  // namespace exl
