#include "ops/norm.h"

#include <cmath>

#include "reference/reference.h"

namespace exl::reference {

namespace {

void rms_norm(Backend&, const Call& call, const Run&) {
  const RmsNormCall op(call);
  const auto* weight = weight_as<PlainWeight>(op.weight);
  const int64_t columns = op.x.columns();
  const int64_t heads = weight->shape.size() == 2 ? weight->shape[0] : 1;
  for (int64_t r = 0; r < op.x.rows(); r++) {
    const double* from = op.x.as<double>() + r * columns;
    double squares = 0;
    for (int64_t c = 0; c < columns; c++) squares += from[c] * from[c];
    const double root = std::sqrt(squares / double(columns) + op.eps);
    for (int64_t c = 0; c < columns; c++)
      op.y.as<double>()[r * columns + c] =
          from[c] / root * (weight->at(r % heads * columns + c) + op.offset);
  }
}

void layer_norm(Backend&, const Call& call, const Run&) {
  const LayerNormCall op(call);
  const auto* weight = weight_as<PlainWeight>(op.weight);
  const auto* bias = weight_as<PlainWeight>(op.bias);
  const int64_t columns = op.x.columns();
  for (int64_t r = 0; r < op.x.rows(); r++) {
    const double* from = op.x.as<double>() + r * columns;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < columns; c++) sum += from[c];
    const double mean = sum / double(columns);
    for (int64_t c = 0; c < columns; c++) squares += (from[c] - mean) * (from[c] - mean);
    const double root = std::sqrt(squares / double(columns) + op.eps);
    for (int64_t c = 0; c < columns; c++)
      op.y.as<double>()[r * columns + c] =
          (from[c] - mean) / root * weight->at(c) + (bias ? bias->at(c) : 0);
  }
}

std::string rms_norm_refuses(const Call& call) {
  return weight_as<PlainWeight>(RmsNormCall(call).weight) ? "" : "the weight is quantised";
}

std::string layer_norm_refuses(const Call& call) {
  const LayerNormCall op(call);
  if (!weight_as<PlainWeight>(op.weight)) return "the weight is quantised";
  return op.bias && !weight_as<PlainWeight>(op.bias) ? "the bias is quantised" : "";
}

constexpr Kernel kKernels[] = {
    {.op = &ops::rms_norm, .name = "reference", .refuses = rms_norm_refuses, .run = rms_norm},
    {.op = &ops::layer_norm, .name = "reference", .refuses = layer_norm_refuses, .run = layer_norm},
};

}  // namespace

constinit const Kernels norm_kernels = kKernels;

}  // namespace exl::reference
