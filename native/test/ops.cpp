// What the declaration of an op promises to whoever records it.
#include "ops/op.h"

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
  check(objection({x, up, {16, 9}, down, down}) == "experts: in is 8 in x but 9 in up",
        "each operand of a list has the dims of its port");
}

}  // namespace exl::test
