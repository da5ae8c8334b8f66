// A tensor is a view: a type, up to four dimensions, row-major and contiguous, and an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace exl {

enum class Dtype { F64, F32, F16, BF16, I32 };

inline size_t dtype_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::F64:
      return 8;
    case Dtype::F32:
    case Dtype::I32:
      return 4;
    case Dtype::F16:
    case Dtype::BF16:
      return 2;
  }
  return 0;
}

const char* dtype_name(Dtype dtype);

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
