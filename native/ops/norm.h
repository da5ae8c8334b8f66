#pragma once

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {

// The mean is taken over the last dimension. `weight` has one row for all, or one per head.
inline const Op rms_norm{
    .name = "rms_norm",
    .formula = "y[r, c] = x[r, c] / sqrt(mean(x[r, :]^2) + eps) * (weight[c] + offset)",
    .inputs = {{"x", PortKind::Value, "... columns"},
               {"weight", PortKind::Weight, "columns|heads columns"}},
    .outputs = {{"y", PortKind::Value, "... columns"}},
    .attributes = {{"eps", 0, true, Takes::NotNegative}, {"offset", 0, false}},
};

inline const Op layer_norm{
    .name = "layer_norm",
    .formula =
        "y[r, c] = (x[r, c] - mean(x[r, :])) / sqrt(variance(x[r, :]) + eps) * weight[c] + bias[c]",
    .inputs = {{"x", PortKind::Value, "... columns"},
               {"weight", PortKind::Weight, "columns"},
               {"bias", PortKind::Weight, "columns", true}},
    .outputs = {{"y", PortKind::Value, "... columns"}},
    .attributes = {{"eps", 0, true, Takes::NotNegative}},
};

// Lowered: a sum and its norm.
inline const Op add_rms_norm{
    .name = "add_rms_norm",
    .formula = "sum = a + b, y = rms_norm(sum)",
    .inputs = {{"a", PortKind::Value, "... columns"},
               {"b", PortKind::Value, "... columns"},
               {"weight", PortKind::Weight, "columns"}},
    .outputs = {{"sum", PortKind::Value, "... columns"}, {"y", PortKind::Value, "... columns"}},
    .attributes = {{"eps", 0, true, Takes::NotNegative}, {"offset", 0, false}},
};

inline const Op add_layer_norm{
    .name = "add_layer_norm",
    .formula = "sum = a + b, y = layer_norm(sum)",
    .inputs = {{"a", PortKind::Value, "... columns"},
               {"b", PortKind::Value, "... columns"},
               {"weight", PortKind::Weight, "columns"},
               {"bias", PortKind::Weight, "columns", true}},
    .outputs = {{"sum", PortKind::Value, "... columns"}, {"y", PortKind::Value, "... columns"}},
    .attributes = {{"eps", 0, true, Takes::NotNegative}},
};

}  // namespace ops

template <typename Call>
struct RmsNormCall {
  const TensorOf<Call>&x, &y;
  WeightOf<Call> weight;
  double eps, offset;

  explicit RmsNormCall(const Call& call)
      : x(call.in(0)),
        y(call.out()),
        weight(call.weight(1)),
        eps(call.attribute("eps")),
        offset(call.attribute("offset")) {}
};

template <typename Call>
struct LayerNormCall {
  const TensorOf<Call>&x, &y;
  WeightOf<Call> weight, bias;
  double eps;

  explicit LayerNormCall(const Call& call)
      : x(call.in(0)),
        y(call.out()),
        weight(call.weight(1)),
        bias(call.weight(2)),
        eps(call.attribute("eps")) {}
};

template <typename Call>
struct AddRmsNormCall {
  const TensorOf<Call>&a, &b, &sum, &y;
  WeightOf<Call> weight;
  double eps, offset;

  explicit AddRmsNormCall(const Call& call)
      : a(call.in(0)),
        b(call.in(1)),
        sum(call.out(0)),
        y(call.out(1)),
        weight(call.weight(2)),
        eps(call.attribute("eps")),
        offset(call.attribute("offset")) {}
};

template <typename Call>
struct AddLayerNormCall {
  const TensorOf<Call>&a, &b, &sum, &y;
  WeightOf<Call> weight, bias;
  double eps;

  explicit AddLayerNormCall(const Call& call)
      : a(call.in(0)),
        b(call.in(1)),
        sum(call.out(0)),
        y(call.out(1)),
        weight(call.weight(2)),
        bias(call.weight(3)),
        eps(call.attribute("eps")) {}
};

}  // namespace exl
