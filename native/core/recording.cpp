#include "core/recording.h"

#include <algorithm>

#include "base/error.h"

namespace exl {

namespace {

// Logits stay fp32 where other activations are fp16: an output that only sampling or scoring reads
// is widened.
void widen_logits(const Recording& recording, std::vector<Dtype>& types) {
  std::vector<bool> is_logits(types.size(), false);
  const auto mark = [&](const std::vector<Operand>& operands, bool logits) {
    for (const Operand& operand : operands)
      if (operand.kind == Operand::Kind::Value) is_logits[size_t(operand.value)] = logits;
  };
  for (const OpRecord& record : recording.ops)
    if (record.op->makes_logits) mark(record.outputs, true);
  for (const OpRecord& record : recording.ops)
    if (!record.op->reads_logits) mark(record.inputs, false);
  for (size_t i = 0; i < types.size(); i++)
    if (is_logits[i] && dtype_size(types[i]) == 2) types[i] = Dtype::F32;
}

}  // namespace

void check_record(const OpRecord& record) {
  for (size_t i = 0; i < record.attributes.size(); i++)
    check_attribute(*record.op, record.op->attributes[i], record.attributes[i]);
  std::vector<Shape> shapes;
  for (const Operand& input : record.inputs) shapes.push_back(input.shape);
  const std::vector<Shape> inferred = infer_shapes(*record.op, shapes);
  if (record.outputs.size() != inferred.size())
    throw Error(Code::ShapeMismatch,
                std::string(record.op->name) + " gives " + std::to_string(inferred.size()) +
                    " values, recorded with " + std::to_string(record.outputs.size()),
                record.path);
  for (size_t i = 0; i < inferred.size(); i++)
    if (record.outputs[i].shape != inferred[i])
      throw Error(Code::ShapeMismatch,
                  std::string(record.op->name) + " gives " + shape_text(inferred[i]) +
                      ", recorded as " + shape_text(record.outputs[i].shape),
                  record.path);
}

Shape actual(const Shape& shape, int64_t rows, int64_t outputs) {
  Shape result;
  for (const int64_t dim : shape)
    result.push_back(dim == kRows ? rows : dim == kOutputs ? outputs : dim);
  return result;
}

Shape at_most(const Shape& shape, const Recording& recording) {
  return actual(shape, recording.max_rows, recording.max_outputs);
}

std::vector<Dtype> value_types(const Recording& recording, const Backend& backend) {
  std::vector<Dtype> types(recording.values.size(), backend.activation_type());
  for (const OpRecord& record : recording.ops)
    for (size_t i = 0; i < record.outputs.size(); i++)
      if (record.outputs[i].kind == Operand::Kind::Value)
        types.at(size_t(record.outputs[i].value)) = backend.value_type(*record.op, i);
  widen_logits(recording, types);
  return types;
}

Call unbound_call(const OpRecord& record, const Recording& recording,
                  const std::vector<Dtype>& types) {
  const auto tensor = [&](const Operand& operand) -> Tensor {
    const Shape shape = at_most(operand.shape, recording);
    switch (operand.kind) {
      case Operand::Kind::Value:
        return {types.at(size_t(operand.value)), shape, nullptr};
      case Operand::Kind::Slot:
        return {Dtype::I32, shape, nullptr};
      case Operand::Kind::Tensor:
        return {operand.tensor.dtype, operand.shape, operand.tensor.data};
      default:
        return {};
    }
  };
  Call call;
  call.op = record.op;
  call.path = record.path;
  call.attributes = record.attributes;
  for (const Operand& input : record.inputs) {
    Call::Operand operand;
    operand.tensor = tensor(input);
    operand.weight = input.weight;
    if (input.kind == Operand::Kind::Cache)
      operand.cache = &recording.cache->layers.at(size_t(input.value));
    call.inputs.push_back(std::move(operand));
  }
  for (const Operand& output : record.outputs) call.outputs.push_back(tensor(output));
  return call;
}

}  // namespace exl
