// Types of elements.
#pragma once

#include <cstddef>

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

}  // namespace exl
