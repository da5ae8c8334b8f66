#include "reference/reference.h"

namespace exl::reference {

void linear(Backend&, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &y = call.out();
  const int64_t rows = x.rows(), in = x.columns(), out = y.columns();
  const auto* bias = call.weight<PlainWeight>(2);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t n = 0; n < out; n++) y.as<double>()[r * out + n] = 0;

  if (const auto* weight = call.weight<PlainWeight>(1)) {
    for (int64_t n = 0; n < out; n++)
      for (int64_t k = 0; k < in; k++) {
        const double w = weight->at(n * in + k);
        for (int64_t r = 0; r < rows; r++)
          y.as<double>()[r * out + n] += x.as<double>()[r * in + k] * w;
      }
  } else {
    const auto* quantised = call.weight<QuantWeight>(1);
    std::vector<double> w;
    for (int64_t p = 0; p < in; p++) {
      quantised->row(p, w);
      const int64_t k = quantised->rows[size_t(p)].feature;
      for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < out; n++)
          y.as<double>()[r * out + n] += x.as<double>()[r * in + k] * w[size_t(n)];
    }
  }

  if (!bias) return;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t n = 0; n < out; n++) y.as<double>()[r * out + n] += bias->at(n);
}

}  // namespace exl::reference
