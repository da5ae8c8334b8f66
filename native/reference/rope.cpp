#include "ops/rope.h"

#include <cmath>

#include "reference/reference.h"

namespace exl::reference {

namespace {

void rope_angles(Backend&, const Call& call, const Run&) {
  const RopeAnglesCall op(call);
  const auto* frequencies = weight_as<PlainWeight>(op.frequencies);
  const int64_t rows = op.y.shape[0], pairs = op.y.shape[1];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < pairs; i++) {
      const double angle = op.positions.as<int32_t>()[r] * frequencies->at(i);
      op.y.as<double>()[(r * pairs + i) * 2] = std::cos(angle) * op.scale;
      op.y.as<double>()[(r * pairs + i) * 2 + 1] = std::sin(angle) * op.scale;
    }
}

void rope(Backend&, const Call& call, const Run&) {
  const RopeCall op(call);
  const int64_t rows = op.x.shape[0], heads = op.x.shape[1], dim = op.x.shape[2];
  const int64_t pairs = op.angles.shape[1];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t h = 0; h < heads; h++) {
      const double* from = op.x.as<double>() + (r * heads + h) * dim;
      double* to = op.y.as<double>() + (r * heads + h) * dim;
      for (int64_t c = 0; c < dim; c++) to[c] = from[c];
      for (int64_t i = 0; i < pairs; i++) {
        const double cosine = op.angles.as<double>()[(r * pairs + i) * 2];
        const double sine = op.angles.as<double>()[(r * pairs + i) * 2 + 1];
        const int64_t a = op.interleaved ? 2 * i : i, b = op.interleaved ? 2 * i + 1 : i + pairs;
        const double low = from[a], high = from[b];
        to[a] = low * cosine - high * sine;
        to[b] = high * cosine + low * sine;
      }
    }
}

std::string rope_angles_refuses(const Call& call) {
  return weight_as<PlainWeight>(RopeAnglesCall(call).frequencies) ? ""
                                                                  : "the frequencies are quantised";
}

constexpr Kernel kKernels[] = {
    {.op = &ops::rope_angles,
     .name = "reference",
     .refuses = rope_angles_refuses,
     .run = rope_angles},
    {.op = &ops::rope, .name = "reference", .run = rope},
};

}  // namespace

constinit const Kernels rope_kernels = kKernels;

}  // namespace exl::reference
