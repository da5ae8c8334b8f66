// Rotary position embeddings. Su et al., arXiv:2104.09864.
#pragma once

#include <string>

#include "ops/call.h"
#include "ops/op.h"

namespace exl {

namespace ops {

// Cosines and sines are shared by every layer, so they are computed once per step. Half an angle's
// digits would be gone in half precision.
inline const Op rope_angles{
    .name = "rope_angles",
    .formula = "y[r, i] = (cos, sin)(positions[r] * frequencies[i]) * scale",
    .inputs = {{"positions", PortKind::Slot, "rows"}, {"frequencies", PortKind::Weight, "pairs"}},
    .outputs = {{"y", PortKind::Value, "rows pairs 2", false, Result::Float}},
    .attributes = {{"scale", 1, false}},
};

// Rotates pairs of the first 2 * pairs elements of every head. Pairs are (i, i + pairs), the halves
// of GPT-NeoX, or with `interleaved` (2i, 2i + 1), as in GPT-J.
inline const Op rope{
    .name = "rope",
    .formula = "(y[a], y[b]) = (x[a] cos - x[b] sin, x[b] cos + x[a] sin)",
    .inputs = {{"x", PortKind::Value, "rows heads dim"},
               {"angles", PortKind::Value, "rows pairs 2"}},
    .outputs = {{"y", PortKind::Value, "rows heads dim"}},
    .attributes = {{"interleaved", 0, false, Takes::Flag}},
    .objects = [](const Dims& dims) -> std::string {
      const int64_t pairs = dims.at("pairs"), dim = dims.at("dim");
      if (2 * pairs <= dim) return {};
      return "2 * pairs is " + std::to_string(2 * pairs) + ", more than dim " + std::to_string(dim);
    },
};

}  // namespace ops

template <typename Call>
struct RopeAnglesCall {
  const TensorOf<Call>&positions, &y;
  WeightOf<Call> frequencies;
  double scale;

  explicit RopeAnglesCall(const Call& call)
      : positions(call.in(0)),
        y(call.out()),
        frequencies(call.weight(1)),
        scale(call.attribute("scale")) {}
};

template <typename Call>
struct RopeCall {
  const TensorOf<Call>&x, &angles, &y;
  bool interleaved;

  explicit RopeCall(const Call& call)
      : x(call.in(0)),
        angles(call.in(1)),
        y(call.out()),
        interleaved(call.attribute("interleaved") != 0) {}
};

}  // namespace exl
