// Values on their way between a device and JavaScript.
#pragma once

#include <vector>

#include "base/tensor.h"
#include "memory/device_memory.h"

namespace exl {

// Halves are widened to fp32, so that it is one of the types JavaScript has arrays for.
struct HostValue {
  Dtype dtype;
  std::vector<std::byte> bytes;
};

// `memory` is null for tensors in host memory. Waits for what is under way.
HostValue read_value(const Tensor& tensor, DeviceMemory* memory);

// Rounds to the type of the tensor. Throws ShapeMismatch.
void write_value(const Tensor& tensor, const std::vector<double>& values, DeviceMemory* memory);

}  // namespace exl
