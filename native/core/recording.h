// A program as it was recorded: ops over values, before anything has an address.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"

namespace exl {

// What the recorder hands over.
struct Operand {
  enum class Kind { None, Value, Weight, Cache, Slot, Tensor } kind = Kind::None;
  int value = 0;  // of Value; the layer of Cache
  Shape shape;    // a value may be seen through another shape with as many elements
  std::shared_ptr<const Weight> weight;
  Slot slot = Slot::Tokens;
  Tensor tensor;                     // of Tensor: memory that outlives the program
  std::shared_ptr<const void> keep;  // what owns that memory
};

struct OpRecord {
  const Op* op;
  std::string path;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;  // Value or Tensor
  std::vector<double> attributes;
};

struct Recording {
  std::vector<Shape> values;
  std::vector<OpRecord> ops;
  std::vector<int> results;  // values that a step returns
  std::shared_ptr<Cache> cache;
  int64_t max_rows = 1;
  int64_t max_outputs = 1;
  int64_t max_sequences = 1;
  int64_t pages_per_sequence = 0;
  int threads = 1;
  bool lowered = true;  // see core/lower.h; without it the ops are those that were recorded
};

// Throws ShapeMismatch, or InvalidArgument for what an attribute does not take.
void check_record(const OpRecord& record);

// Sizes with those that vary from step to step at these.
Shape actual(const Shape& shape, int64_t rows, int64_t outputs);
// And at their largest.
Shape at_most(const Shape& shape, const Recording& recording);

// Of each value, on this backend.
std::vector<Dtype> value_types(const Recording& recording, const Backend& backend);

// An op at its largest, but for addresses: enough to select a kernel.
Call unbound_call(const OpRecord& record, const Recording& recording,
                  const std::vector<Dtype>& types);

}  // namespace exl
