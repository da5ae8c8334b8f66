#include "ops/linear.h"

#include "reference/reference.h"

namespace exl::reference {

namespace {

std::string linear_refuses(const Call& call) {
  const LinearCall op(call);
  return op.bias && !weight_as<PlainWeight>(op.bias) ? "the bias is quantised" : "";
}

void linear(Backend&, const Call& call, const Run&) {
  const LinearCall op(call);
  const auto* x = op.x.as<double>();
  auto* y = op.y.as<double>();
  const int64_t rows = op.x.rows(), in = op.x.columns(), out = op.y.columns();
  const auto* bias = weight_as<PlainWeight>(op.bias);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t n = 0; n < out; n++) y[r * out + n] = 0;

  if (const auto* weight = weight_as<PlainWeight>(op.weight)) {
    for (int64_t n = 0; n < out; n++)
      for (int64_t k = 0; k < in; k++) {
        const double w = weight->at(n * in + k);
        for (int64_t r = 0; r < rows; r++) y[r * out + n] += x[r * in + k] * w;
      }
  } else {
    const auto* quantised = weight_as<QuantWeight>(op.weight);
    std::vector<double> w;
    for (int64_t p = 0; p < in; p++) {
      quantised->row(p, w);
      const int64_t k = quantised->rows[size_t(p)].feature;
      for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < out; n++) y[r * out + n] += x[r * in + k] * w[size_t(n)];
    }
  }

  if (!bias) return;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t n = 0; n < out; n++) y[r * out + n] += bias->at(n);
}

constexpr Kernel kKernels[] = {
    {.op = &ops::linear, .name = "reference", .refuses = linear_refuses, .run = linear},
};

}  // namespace

constinit const Kernels linear_kernels = kKernels;

}  // namespace exl::reference
