// An op is declared once: its formula, the shapes it takes and gives, its attributes. The recorder
// in TypeScript asks for output shapes here, so a wrong shape is reported where the model file
// recorded it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace exl {

enum class PortKind {
  Value,   // computed by an earlier op, or a tensor of the user
  Weight,  // loaded once
  Cache,   // keys and values of one layer
  Slot,    // what varies from step to step: tokens, positions, ...
};

// `dims` names dimensions in order: equal names must be equal sizes, "..." takes any leading
// dimensions, digits stand for themselves, "|" separates alternatives.
struct Port {
  const char* name;
  PortKind kind;
  const char* dims;
  bool optional = false;
};

struct Attribute {
  const char* name;
  double fallback;
  bool required;
};

using Dims = std::map<std::string, int64_t, std::less<>>;

struct Op {
  const char* name;
  const char* formula;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<Attribute> attributes;

  // What equal names cannot say; returns an objection or nothing.
  std::string (*objects)(const Dims& dims) = nullptr;

  int attribute_index(std::string_view name) const;
};

// What models are recorded with, in the order of ops.cpp.
const std::vector<const Op*>& recorded_ops();
// What core/lower.cpp puts in their place.
const std::vector<const Op*>& lowered_ops();

// Throws UnsupportedOp.
const Op& find_op(std::string_view name);

// Shapes of the outputs; an absent optional input has an empty shape. Throws ShapeMismatch.
std::vector<Shape> infer_shapes(const Op& op, const std::vector<Shape>& inputs);

}  // namespace exl
