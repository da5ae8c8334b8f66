// What the declaration of an op promises to whoever records it.
#include "ops/op.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "test/check.h"

namespace exl::test {

namespace {

// As many experts as are given, each with two matrices.
const Op experts{
    .name = "experts",
    .formula = "",
    .inputs = {{"x", PortKind::Value, "... in"},
               {"up", PortKind::Weight, "out in", false, Result::Activation, true},
               {"down", PortKind::Weight, "in out", false, Result::Activation, true}},
    .outputs = {{"y", PortKind::Value, "... in"}},
};

std::string objection(const std::vector<Shape>& inputs) {
  try {
    infer_shapes(experts, inputs);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

void ops() {
  const Shape x{kRows, 8}, up{16, 8}, down{8, 16};
  check(infer_shapes(experts, {x, up, up, up, down, down, down}) == std::vector<Shape>{x},
        "ports that are lists take any number of operands");
  check(infer_shapes(experts, {x}) == std::vector<Shape>{x}, "and none");
  check(objection({x, up, up, down}) == "experts takes 1 and a multiple of 2 more inputs, got 4",
        "ports that are lists take equally many");
  const auto refused = [](const char* name, double value) {
    const Op& op = find_op("attention");
    try {
      check_attribute(op, op.attributes[size_t(op.attribute_index(name))], value);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  for (const double window : {0.0, 1.0, 2147483647.0})
    check(refused("window", window).empty(), "a window that is a count");
  for (const double window : {-1.0, 0.5, 2147483648.0, 1e30, -1e30, kInfinite, std::nan("")})
    check(refused("window", window)
              .starts_with("attention: window must be a whole number from 0 to 2147483647; got "),
          "a window that is none");
  check(refused("window", kInfinite).ends_with("got Infinity"), "an error shows what it was given");
  for (const char* name : {"scale", "softcap"})
    for (const double value : {kInfinite, -kInfinite, 1e39, std::nan("")})
      check(!refused(name, value).empty(), "a number that no float holds");
  check(refused("scale", -1).empty() && !refused("softcap", -1).empty(), "a softcap below 0");
  check(refused("softcap", 0).empty() && !refused("softcap", 1e-60).empty(),
        "a softcap that floats take for none");
  check(objection({x, up, {16, 9}, down, down}) == "experts: in is 8 in x but 9 in up",
        "each operand of a list has the dims of its port");
}

}  // namespace exl::test
