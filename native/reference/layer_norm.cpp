#include <cmath>

#include "reference/reference.h"

namespace exl::reference {

void layer_norm(Backend&, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &y = call.out();
  const auto* weight = call.weight<PlainWeight>(1);
  const auto* bias = call.weight<PlainWeight>(2);
  const double eps = call.attribute("eps");
  const int64_t columns = x.columns();
  for (int64_t r = 0; r < x.rows(); r++) {
    const double* from = x.as<double>() + r * columns;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < columns; c++) sum += from[c];
    const double mean = sum / double(columns);
    for (int64_t c = 0; c < columns; c++) squares += (from[c] - mean) * (from[c] - mean);
    const double root = std::sqrt(squares / double(columns) + eps);
    for (int64_t c = 0; c < columns; c++)
      y.as<double>()[r * columns + c] =
          (from[c] - mean) / root * weight->at(c) + (bias ? bias->at(c) : 0);
  }
}

}  // namespace exl::reference
