#include <cmath>

#include "reference/reference.h"

namespace exl::reference {

void rope_angles(Backend&, const Call& call, const Run&) {
  const Tensor &positions = call.in(0), &y = call.out();
  const auto* frequencies = call.weight<PlainWeight>(1);
  const double scale = call.attribute("scale");
  const int64_t rows = y.shape[0], pairs = y.shape[1];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < pairs; i++) {
      const double angle = positions.as<int32_t>()[r] * frequencies->at(i);
      y.as<double>()[(r * pairs + i) * 2] = std::cos(angle) * scale;
      y.as<double>()[(r * pairs + i) * 2 + 1] = std::sin(angle) * scale;
    }
}

void rope(Backend&, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &angles = call.in(1), &y = call.out();
  const bool interleaved = call.attribute("interleaved") != 0;
  const int64_t rows = x.shape[0], heads = x.shape[1], dim = x.shape[2], pairs = angles.shape[1];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t h = 0; h < heads; h++) {
      const double* from = x.as<double>() + (r * heads + h) * dim;
      double* to = y.as<double>() + (r * heads + h) * dim;
      for (int64_t c = 0; c < dim; c++) to[c] = from[c];
      for (int64_t i = 0; i < pairs; i++) {
        const double cosine = angles.as<double>()[(r * pairs + i) * 2];
        const double sine = angles.as<double>()[(r * pairs + i) * 2 + 1];
        const int64_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + pairs;
        const double low = from[a], high = from[b];
        to[a] = low * cosine - high * sine;
        to[b] = high * cosine + low * sine;
      }
    }
}

}  // namespace exl::reference
