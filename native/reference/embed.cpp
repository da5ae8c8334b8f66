#include "reference/reference.h"

namespace exl::reference {

void embed(Backend&, const Call& call, const Run&) {
  const Tensor &tokens = call.in(0), &y = call.out();
  const auto* table = call.weight<PlainWeight>(1);
  const int64_t hidden = y.columns();
  for (int64_t r = 0; r < y.rows(); r++)
    for (int64_t c = 0; c < hidden; c++)
      y.as<double>()[r * hidden + c] = table->at(tokens.as<int32_t>()[r] * hidden + c);
}

void gather_rows(Backend&, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &outputs = call.in(1), &y = call.out();
  const int64_t columns = y.columns();
  for (int64_t i = 0; i < y.rows(); i++)
    for (int64_t c = 0; c < columns; c++)
      y.as<double>()[i * columns + c] = x.as<double>()[outputs.as<int32_t>()[i] * columns + c];
}

}  // namespace exl::reference
