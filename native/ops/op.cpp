#include "ops/op.h"

#include <algorithm>
#include <cctype>
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

namespace {

struct Binding {
  Dims dims;
  std::map<std::string, std::string, std::less<>> from;  // the input each name was first seen in
  Shape leading;
  bool has_leading = false;
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

std::string size_text(int64_t size) {
  return size == kRows ? "rows" : size == kOutputs ? "outputs" : std::to_string(size);
}

// Matches one alternative; returns an objection or nothing.
std::string match(const std::string& pattern, const char* port, const Shape& shape,
                  Binding& binding) {
  std::vector<std::string> names = words(pattern);
  const bool leading = !names.empty() && names[0] == "...";
  if (leading) names.erase(names.begin());
  if (leading ? shape.size() < names.size() : shape.size() != names.size())
    return std::string(port) + " is " + shape_text(shape) + ", expected [" + pattern + "]";

  const size_t skipped = shape.size() - names.size();
  if (leading) {
    const Shape lead(shape.begin(), shape.begin() + long(skipped));
    if (binding.has_leading && lead != binding.leading)
      return std::string(port) + " is " + shape_text(shape) + ", expected to begin with " +
             shape_text(binding.leading);
    binding.leading = lead;
    binding.has_leading = true;
  }
  for (size_t i = 0; i < names.size(); i++) {
    const int64_t size = shape[skipped + i];
    if (std::isdigit(static_cast<unsigned char>(names[i][0]))) {
      if (size != std::stoll(names[i]))
        return std::string(port) + " is " + shape_text(shape) + ", expected [" + pattern + "]";
      continue;
    }
    const auto [known, fresh] = binding.dims.emplace(names[i], size);
    if (fresh)
      binding.from.emplace(names[i], port);
    else if (known->second != size)
      return names[i] + " is " + size_text(known->second) + " in " + binding.from[names[i]] +
             " but " + size_text(size) + " in " + port;
  }
  return {};
}

std::string bind_alternatives(const char* patterns, const char* port, const Shape& shape,
                              Binding& binding) {
  std::istringstream stream(patterns);
  std::string objection;
  for (std::string pattern; std::getline(stream, pattern, '|');) {
    Binding attempt = binding;
    objection = match(pattern, port, shape, attempt);
    if (objection.empty()) {
      binding = std::move(attempt);
      return {};
    }
  }
  return objection;
}

}  // namespace

std::vector<Shape> infer_shapes(const Op& op, const std::vector<Shape>& inputs) {
  Binding binding;
  const std::vector<const Port*> ports = op.input_ports(inputs.size());
  for (size_t i = 0; i < inputs.size(); i++) {
    const Port& port = *ports[i];
    if (inputs[i].empty() && port.optional) continue;
    const std::string objection = bind_alternatives(port.dims, port.name, inputs[i], binding);
    if (!objection.empty())
      throw Error(Code::ShapeMismatch, std::string(op.name) + ": " + objection);
  }
  if (op.objects) {
    const std::string objection = op.objects(binding.dims);
    if (!objection.empty())
      throw Error(Code::ShapeMismatch, std::string(op.name) + ": " + objection);
  }

  std::vector<Shape> outputs;
  for (const Port& port : op.outputs) {
    Shape shape;
    for (const std::string& name : words(port.dims)) {
      if (name == "...")
        shape.insert(shape.end(), binding.leading.begin(), binding.leading.end());
      else if (std::isdigit(static_cast<unsigned char>(name[0])))
        shape.push_back(std::stoll(name));
      else
        shape.push_back(binding.dims.at(name));
    }
    outputs.push_back(std::move(shape));
  }
  return outputs;
}

}  // namespace exl
