#include "ops/op.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>

#include "base/error.h"

namespace exl {

int Op::attribute_index(std::string_view wanted) const {
  for (size_t i = 0; i < attributes.size(); i++)
    if (attributes[i].name == wanted) return int(i);
  return -1;
}

std::vector<const Port*> Op::input_ports(size_t count) const {
  const size_t lists = size_t(
      std::count_if(inputs.begin(), inputs.end(), [](const Port& port) { return port.list; }));
  const size_t single = inputs.size() - lists;
  if (lists == 0 ? count != single : count < single || (count - single) % lists != 0)
    throw Error(Code::ShapeMismatch,
                std::string(name) + " takes " + std::to_string(single) +
                    (lists == 0   ? ""
                     : lists == 1 ? " and more"
                                  : " and a multiple of " + std::to_string(lists) + " more") +
                    " inputs, got " + std::to_string(count));
  std::vector<const Port*> ports;
  for (const Port& port : inputs)
    ports.insert(ports.end(), port.list ? (count - single) / lists : 1, &port);
  return ports;
}

const Op& find_op(std::string_view name) {
  for (const auto& ops : {recorded_ops(), lowered_ops()})
    for (const Op* op : ops)
      if (op->name == name) return *op;
  throw Error(Code::UnsupportedOp, "there is no op named " + std::string(name));
}

namespace {

bool takes(Takes what, double value) {
  if (what == Takes::Number || what == Takes::NotNegative) {
    const auto single = float(value);
    if (!std::isfinite(single)) return false;
    return what == Takes::Number || value == 0 || single > 0;
  }
  const double least = what == Takes::Size ? 1 : 0;
  const double most = what == Takes::Flag ? 1 : double(INT32_MAX);
  return value >= least && value <= most && value == std::floor(value);
}

const char* taken(Takes what) {
  switch (what) {
    case Takes::Number:
      return "a number that a float can hold";
    case Takes::NotNegative:
      return "a number of at least 0 that a float can hold";
    case Takes::Count:
      return "a whole number from 0 to 2147483647";
    case Takes::Size:
      return "a whole number from 1 to 2147483647";
    case Takes::Flag:
      return "0 or 1";
  }
  return "?";
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

void check_attribute(const Op& op, const Attribute& attribute, double value) {
  if (takes(attribute.takes, value)) return;
  throw Error(Code::InvalidArgument, std::string(op.name) + ": " + attribute.name + " must be " +
                                         taken(attribute.takes) + "; got " + number_text(value));
}

std::vector<Shape> infer_shapes(const Op& op, const std::vector<Shape>& inputs) {
  const auto require = [&](const std::string& objection) {
    if (!objection.empty())
      throw Error(Code::ShapeMismatch, std::string(op.name) + ": " + objection);
  };
  DimBinding binding;
  const std::vector<const Port*> ports = op.input_ports(inputs.size());
  for (size_t i = 0; i < inputs.size(); i++)
    if (!inputs[i].empty() || !ports[i]->optional)
      require(binding.bind(ports[i]->dims, ports[i]->name, inputs[i]));
  if (op.objects) require(op.objects(binding.dims()));

  std::vector<Shape> outputs;
  for (const Port& port : op.outputs) outputs.push_back(binding.shape(port.dims));
  return outputs;
}

}  // namespace exl
