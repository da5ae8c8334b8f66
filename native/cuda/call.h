// Reading an ExlCall, and what the library keeps of a weight.
#pragma once

#include <cstring>
#include <span>
#include <string>

#include "base/error.h"
#include "cuda/device.h"
#include "cuda/simple/simple.h"
#include "library/backend_api.h"

#include "cuda/quant_weight.h"

// Device memory belongs to the host, which frees it with the weight.
struct ExlWeight {
  bool quantised = false;
  int32_t dtype = 0;  // of a plain weight
  int32_t rank = 0;
  int64_t dims[2] = {};  // [out, in], or [size]
  void* data = nullptr;  // of a plain weight

  const float* floats = nullptr;  // of a vector that came as fp32: what it was

  // Of a quantised one: one of them.
  exl::cuda::simple::QuantMatrix matrix;
  exl::cuda::QuantWeight repacked{};
};

namespace exl::cuda {

using Calls = std::span<const ExlCall* const>;

inline const ExlTensor& in(const ExlCall& call, int i) { return call.inputs[i].tensor; }
inline const ExlTensor& out(const ExlCall& call, int i = 0) { return call.outputs[i]; }
inline const ExlWeight* weight(const ExlCall& call, int i) { return call.inputs[i].weight; }

inline int64_t count(const ExlTensor& tensor) {
  int64_t product = 1;
  for (int i = 0; i < tensor.rank; i++) product *= tensor.dims[i];
  return product;
}
inline int64_t columns(const ExlTensor& tensor) { return tensor.dims[tensor.rank - 1]; }
inline int64_t rows(const ExlTensor& tensor) { return count(tensor) / columns(tensor); }

template <typename T>
const T* as(const ExlTensor& tensor) {
  return static_cast<const T*>(tensor.data);
}

inline double attribute(const ExlCall& call, const char* name) {
  for (int i = 0; i < call.attribute_count; i++)
    if (std::strcmp(call.attribute_names[i], name) == 0) return call.attributes[i];
  throw Error(Code::Internal, std::string(call.op) + " has no attribute " + name);
}

ExlWeight* load_weight(Device& device, const ExlWeightSource& source);

}  // namespace exl::cuda
