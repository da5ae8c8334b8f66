#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {

// Stores keys (already rotated) and values of this step's rows at their positions.
inline const Op cache_write{
    .name = "cache_write",
    .formula = "cache[sequences[r], positions[r]] = (k[r], v[r])",
    .inputs = {{"k", PortKind::Value, "rows key_heads dim"},
               {"v", PortKind::Value, "rows key_heads dim"},
               {"cache", PortKind::Cache, "key_heads dim"},
               {"positions", PortKind::Slot, "rows"},
               {"sequences", PortKind::Slot, "rows"},
               {"pages", PortKind::Slot, "sequences pages"}},
};

// Lowered: queries and keys rotated by the same angles, then keys and values stored.
inline const Op rope_cache_write{
    .name = "rope_cache_write",
    .formula = "y = rope(q), cache_write(rope(k), v)",
    .inputs = {{"q", PortKind::Value, "rows heads dim"},
               {"k", PortKind::Value, "rows key_heads dim"},
               {"v", PortKind::Value, "rows key_heads dim"},
               {"angles", PortKind::Value, "rows pairs 2"},
               {"cache", PortKind::Cache, "key_heads dim"},
               {"positions", PortKind::Slot, "rows"},
               {"sequences", PortKind::Slot, "rows"},
               {"pages", PortKind::Slot, "sequences pages"}},
    .outputs = {{"y", PortKind::Value, "rows heads dim"}},
    .attributes = {{"interleaved", 0, false, Takes::Flag}},
};

}  // namespace ops

template <typename Call>
struct CacheWriteCall {
  const TensorOf<Call>&k, &v;
  const CacheOf<Call>& cache;
  StepSlots<Call> step;

  explicit CacheWriteCall(const Call& call)
      : k(call.in(0)), v(call.in(1)), cache(call.cache(2)), step(call, 3) {}
};

template <typename Call>
struct RopeCacheWriteCall {
  const TensorOf<Call>&q, &k, &v, &angles, &y;
  const CacheOf<Call>& cache;
  StepSlots<Call> step;
  bool interleaved;

  explicit RopeCacheWriteCall(const Call& call)
      : q(call.in(0)),
        k(call.in(1)),
        v(call.in(2)),
        angles(call.in(3)),
        y(call.out()),
        cache(call.cache(4)),
        step(call, 5),
        interleaved(call.attribute("interleaved") != 0) {}
};

}  // namespace exl
