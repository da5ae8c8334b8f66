#include "base/tensor.h"

namespace exl {

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
