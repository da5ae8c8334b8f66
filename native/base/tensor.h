// A tensor is a view: a type, up to four dimensions, row-major and contiguous, and an address.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace exl {

// The two dimensions that are known only when a step runs, as they stand in a recorded shape.
inline constexpr int64_t kRows = -1;     // tokens in this step
inline constexpr int64_t kOutputs = -2;  // tokens whose logits are wanted

using Shape = std::vector<int64_t>;

// `[rows, 8, 64]`
std::string shape_text(const Shape& shape);

inline int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t d : shape) count *= d;
  return count;
}

struct Tensor {
  Dtype dtype = Dtype::F32;
  Shape shape;
  void* data = nullptr;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }

  int64_t columns() const { return shape.back(); }
  int64_t rows() const { return columns() ? element_count(shape) / columns() : 0; }
};

}  // namespace exl
