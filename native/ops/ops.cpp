// Every op there is.
#include "ops/add.h"
#include "ops/attention.h"
#include "ops/cache_write.h"
#include "ops/embed.h"
#include "ops/gather_rows.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/sample.h"
#include "ops/silu_mul.h"

namespace exl {

std::span<const Op* const> recorded_ops() {
  static constexpr const Op* list[] = {
      &ops::embed,       &ops::rms_norm,    &ops::layer_norm,     &ops::linear, &ops::rope,
      &ops::rope_angles, &ops::cache_write, &ops::attention,      &ops::add,    &ops::silu_mul,
      &ops::gather_rows, &ops::sample,      &ops::token_log_prob,
  };
  return list;
}

std::span<const Op* const> lowered_ops() {
  static constexpr const Op* list[] = {&ops::add_rms_norm, &ops::add_layer_norm,
                                       &ops::rope_cache_write, &ops::top_k};
  return list;
}

}  // namespace exl
