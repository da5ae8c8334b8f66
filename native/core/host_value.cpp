#include "core/host_value.h"

#include <cstring>

#include "base/error.h"
#include "base/float16.h"

namespace exl {

namespace {

HostValue widened(Dtype dtype, const std::vector<std::byte>& halves) {
  HostValue wide{Dtype::F32, std::vector<std::byte>(halves.size() * 2)};
  for (size_t i = 0; i < halves.size() / 2; i++) {
    uint16_t bits;
    std::memcpy(&bits, halves.data() + 2 * i, 2);
    const float value = dtype == Dtype::F16 ? half_to_float(bits) : bfloat_to_float(bits);
    std::memcpy(wide.bytes.data() + 4 * i, &value, 4);
  }
  return wide;
}

template <typename T>
void put(std::byte* to, size_t i, T value) {
  std::memcpy(to + i * sizeof(T), &value, sizeof(T));
}

}  // namespace

HostValue read_value(const Tensor& tensor, DeviceMemory* memory) {
  const size_t bytes = size_t(element_count(tensor.shape)) * dtype_size(tensor.dtype);
  HostValue value{tensor.dtype, std::vector<std::byte>(bytes)};
  if (memory) {
    if (bytes) memory->download(value.bytes.data(), tensor.data, bytes);
    memory->synchronize();
  } else if (bytes) {
    std::memcpy(value.bytes.data(), tensor.data, bytes);
  }
  const bool is_half = tensor.dtype == Dtype::F16 || tensor.dtype == Dtype::BF16;
  return is_half ? widened(tensor.dtype, value.bytes) : value;
}

void write_value(const Tensor& tensor, const std::vector<double>& values, DeviceMemory* memory) {
  if (int64_t(values.size()) != element_count(tensor.shape))
    throw Error(Code::ShapeMismatch, "a value " + shape_text(tensor.shape) + " was given " +
                                         std::to_string(values.size()) + " elements");
  std::vector<std::byte> bytes(values.size() * dtype_size(tensor.dtype));
  for (size_t i = 0; i < values.size(); i++) {
    const double x = values[i];
    switch (tensor.dtype) {
      case Dtype::F64:
        put(bytes.data(), i, x);
        break;
      case Dtype::F32:
        put(bytes.data(), i, float(x));
        break;
      case Dtype::F16:
        put(bytes.data(), i, float_to_half(float(x)));
        break;
      case Dtype::BF16:
        put(bytes.data(), i, float_to_bfloat(float(x)));
        break;
      case Dtype::I32:
        put(bytes.data(), i, int32_t(x));
        break;
    }
  }
  if (bytes.empty()) return;
  if (memory)
    memory->write(tensor.data, bytes.data(), bytes.size());
  else
    std::memcpy(tensor.data, bytes.data(), bytes.size());
}

}  // namespace exl
