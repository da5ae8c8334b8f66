// Dimensions by name: `rows heads dim`, `... columns`, `groups out/8`, `columns|heads columns`.
#pragma once

#include <map>
#include <string>

#include "base/tensor.h"

namespace exl {

using Dims = std::map<std::string, int64_t, std::less<>>;

// What names stand for, learnt from one shape after another.
class DimBinding {
 public:
  // Equal names must be equal sizes; "..." takes any leading dimensions, digits stand for
  // themselves, `out/8` for an eighth of a size that is known, "|" separates alternatives. Returns
  // an objection or nothing.
  std::string bind(const char* patterns, const char* port, const Shape& shape);

  // Throws std::out_of_range if a name is not known.
  Shape shape(const char* pattern) const;
  const Dims& dims() const { return dims_; }

 private:
  std::string match(const std::string& pattern, const char* port, const Shape& shape);

  Dims dims_;
  std::map<std::string, std::string, std::less<>> from_;  // the input each name was first seen in
  Shape leading_;
  bool has_leading_ = false;
};

}  // namespace exl
