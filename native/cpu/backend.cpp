#include "cpu/backend.h"

#include <cstring>

#include "base/float16.h"

namespace exl::cpu {

namespace {

std::shared_ptr<Weight> load_vector(const FloatSource& source, const Allocator& allocate,
                                    const std::string& label) {
  auto vector = std::make_shared<FloatVector>();
  vector->shape = source.shape;
  const size_t count = size_t(element_count(source.shape));
  const BufferPtr raw = source.data.to_buffer(allocate, Kind::Staging, 1, label + ".staging");
  vector->data = allocate(count * sizeof(float), Kind::Weights, label);
  widen(raw->data(), source.dtype, 0, int64_t(count), vector->data->as<float>());
  return vector;
}

}  // namespace

void widen(const void* from, Dtype dtype, int64_t first, int64_t count, float* to) {
  if (dtype == Dtype::F32) {
    std::memcpy(to, static_cast<const float*>(from) + first, size_t(count) * sizeof(float));
    return;
  }
  const auto* bits = static_cast<const uint16_t*>(from) + first;
  for (int64_t i = 0; i < count; i++)
    to[i] = dtype == Dtype::F16 ? half_to_float(bits[i]) : bfloat_to_float(bits[i]);
}

Kernels CpuBackend::kernels() const {
  static const std::vector<Kernel> all =
      join({attention_kernels, cache_kernels, linear_kernels, row_kernels, sample_kernels});
  return all;
}

std::shared_ptr<Weight> CpuBackend::load(const WeightSource& source, const Allocator& allocate,
                                         const std::string& label) {
  if (const auto* quantised = std::get_if<QuantSource>(&source))
    return pack(*quantised, allocate, label, pool);
  const auto& plain = std::get<FloatSource>(source);
  if (plain.shape.size() == 1) return load_vector(plain, allocate, label);
  auto matrix = std::make_shared<FloatMatrix>();
  matrix->shape = plain.shape;
  matrix->dtype = plain.dtype;
  matrix->data = plain.data.to_buffer(allocate, Kind::Weights, dtype_size(plain.dtype), label);
  return matrix;
}

std::unique_ptr<Backend> make_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace exl::cpu
