// An op is declared once: its formula, the shapes it takes and gives, its attributes. The recorder
// in TypeScript asks for output shapes here, so a wrong shape is reported where the model file
// recorded it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dims.h"

namespace exl {

enum class PortKind {
  Value,   // computed by an earlier op, or a tensor of the user
  Weight,  // loaded once
  Cache,   // keys and values of one layer
  Slot,    // what varies from step to step: tokens, positions, ...
};

// The type of a result.
enum class Result {
  Activation,  // that of the backend
  Float,       // the same, at least fp32
  Int,
};

// `dims` is a pattern of base/dims.h.
struct Port {
  const char* name;
  PortKind kind;
  const char* dims;
  bool optional = false;
  Result result = Result::Activation;  // of an output
  // Takes any number of operands, each of these dims. If an op has several such ports, they take
  // equally many.
  bool list = false;
};

// What an attribute takes. Backends compute with floats, so a number is one that a float holds.
enum class Takes {
  Number,
  NotNegative,  // 0, or what a float tells from it
  Count,        // a whole number from 0
  Size,         // and from 1
  Flag,         // 0 or 1
};

struct Attribute {
  const char* name;
  double fallback;
  bool required;
  Takes takes = Takes::Number;
};

struct Op {
  const char* name;
  const char* formula;
  std::vector<Port> inputs;
  std::vector<Port> outputs = {};
  std::vector<Attribute> attributes = {};

  // What equal names cannot say; returns an objection or nothing.
  std::string (*objects)(const Dims& dims) = nullptr;

  // What core has to know of an op, which it never asks for by name.
  bool embeds = false;        // reads a table of one row per token: its first weight
  bool samples = false;       // gives the ids that a step returns
  bool makes_logits = false;  // what it gives may be logits, which keep all of their digits
  bool reads_logits = false;

  int attribute_index(std::string_view name) const;
  // The port of each of so many inputs. Throws ShapeMismatch.
  std::vector<const Port*> input_ports(size_t count) const;
};

// What models are recorded with, in the order of ops.cpp.
std::span<const Op* const> recorded_ops();
// What core/lower.cpp puts in their place.
std::span<const Op* const> lowered_ops();

// Throws UnsupportedOp.
const Op& find_op(std::string_view name);

// Throws InvalidArgument, saying what the attribute takes.
void check_attribute(const Op& op, const Attribute& attribute, double value);

// Shapes of the outputs; an absent optional input has an empty shape. Throws ShapeMismatch.
std::vector<Shape> infer_shapes(const Op& op, const std::vector<Shape>& inputs);

}  // namespace exl
