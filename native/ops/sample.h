// What is done with logits. Ids at or above `vocabulary` are padding of the head.
#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {

// Draws one id per output with the sampler of its slot. Consecutive outputs of one sampler check a
// draft, see sampling/step.h. `largest` and `largest_ids` are of top_k.
inline const Op sample{
    .name = "sample",
    .formula = "ids[i] = samplers[i](logits[i, :vocabulary])",
    .inputs = {{"logits", PortKind::Value, "outputs padded"},
               {"samplers", PortKind::Slot, "outputs"},
               {"tokens", PortKind::Slot, "rows"},
               {"outputs", PortKind::Slot, "outputs"},
               {"largest", PortKind::Value, "outputs 256", true},
               {"largest_ids", PortKind::Value, "outputs 256", true}},
    .outputs = {{"ids", PortKind::Value, "outputs", false, Result::Int}},
    .attributes = {{"vocabulary", 0, true, Takes::Size}},
    .samples = true,
    .reads_logits = true,
};

// For people to read, so never in half precision.
inline const Op token_log_prob{
    .name = "token_log_prob",
    .formula = "y[i] = log softmax(logits[i, :vocabulary])[targets[i]]",
    .inputs = {{"logits", PortKind::Value, "outputs padded"},
               {"targets", PortKind::Slot, "outputs"}},
    .outputs = {{"y", PortKind::Value, "outputs", false, Result::Float}},
    .attributes = {{"vocabulary", 0, true, Takes::Size}},
    .reads_logits = true,
};

// Lowered: the logits that sampling looks at. Of equals the lower id comes first.
inline const Op top_k{
    .name = "top_k",
    .formula =
        "(y[i, :], ids[i, :]) = the 256 largest of logits[i, :vocabulary], in descending order",
    .inputs = {{"logits", PortKind::Value, "outputs padded"}},
    .outputs = {{"y", PortKind::Value, "outputs 256", false, Result::Float},
                {"ids", PortKind::Value, "outputs 256", false, Result::Int}},
    .attributes = {{"vocabulary", 0, true, Takes::Size}},
    .reads_logits = true,
};

}  // namespace ops

template <typename Call>
struct SampleCall {
  const TensorOf<Call>&logits, &tokens, &outputs, &largest, &largest_ids, &ids;
  int64_t vocabulary;

  explicit SampleCall(const Call& call)
      : logits(call.in(0)),
        tokens(call.in(2)),
        outputs(call.in(3)),
        largest(call.in(4)),
        largest_ids(call.in(5)),
        ids(call.out()),
        vocabulary(int64_t(call.attribute("vocabulary"))) {}
};

template <typename Call>
struct TokenLogProbCall {
  const TensorOf<Call>&logits, &targets, &y;
  int64_t vocabulary;

  explicit TokenLogProbCall(const Call& call)
      : logits(call.in(0)),
        targets(call.in(1)),
        y(call.out()),
        vocabulary(int64_t(call.attribute("vocabulary"))) {}
};

template <typename Call>
struct TopKCall {
  const TensorOf<Call>&logits, &y, &ids;
  int64_t vocabulary;

  explicit TopKCall(const Call& call)
      : logits(call.in(0)),
        y(call.out(0)),
        ids(call.out(1)),
        vocabulary(int64_t(call.attribute("vocabulary"))) {}
};

}  // namespace exl
