#include <cmath>

#include "reference/reference.h"

namespace exl::reference {

void rms_norm(Backend&, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &y = call.out();
  const auto* weight = call.weight<PlainWeight>(1);
  const double eps = call.attribute("eps"), offset = call.attribute("offset");
  const int64_t columns = x.columns();
  const int64_t heads = weight->shape.size() == 2 ? weight->shape[0] : 1;
  for (int64_t r = 0; r < x.rows(); r++) {
    const double* from = x.as<double>() + r * columns;
    double squares = 0;
    for (int64_t c = 0; c < columns; c++) squares += from[c] * from[c];
    const double root = std::sqrt(squares / double(columns) + eps);
    for (int64_t c = 0; c < columns; c++)
      y.as<double>()[r * columns + c] =
          from[c] / root * (weight->at(r % heads * columns + c) + offset);
  }
}

}  // namespace exl::reference
