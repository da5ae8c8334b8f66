#include "core/tensor.h"

namespace exl {

const char* dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::F64:
      return "F64";
    case Dtype::F32:
      return "F32";
    case Dtype::F16:
      return "F16";
    case Dtype::BF16:
      return "BF16";
    case Dtype::I32:
      return "I32";
  }
  return "?";
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) {
    if (i) text += ", ";
    if (shape[i] == kRows)
      text += "rows";
    else if (shape[i] == kOutputs)
      text += "outputs";
    else
      text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace exl
