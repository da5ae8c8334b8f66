#include "cpu/backend.h"

#include <cstring>

#include "base/float16.h"

namespace exl::cpu {

namespace {

std::string not_plain(const WeightSource& source, size_t rank) {
  if (source.format != &formats::plain) return "it is quantised";
  return source.shape.size() == rank ? "" : "it is " + shape_text(source.shape);
}

std::string vector_refuses(const WeightSource& source) { return not_plain(source, 1); }
std::string matrix_refuses(const WeightSource& source) { return not_plain(source, 2); }
std::string affine_refuses(const WeightSource& source) {
  return source.format->affine ? "" : "it is not affine";
}

std::shared_ptr<Weight> load_vector(Backend&, const WeightSource& source, const Allocator& allocate,
                                    const std::string& label) {
  const auto& [dtype, shape, bytes] = source.piece("data");
  auto vector = std::make_shared<FloatVector>();
  vector->shape = shape;
  const size_t count = size_t(element_count(shape));
  const BufferPtr raw = bytes.to_buffer(allocate, Kind::Staging, 1, label + ".staging");
  vector->data = allocate(count * sizeof(float), Kind::Weights, label);
  widen(raw->data(), dtype, 0, int64_t(count), vector->data->as<float>());
  return vector;
}

std::shared_ptr<Weight> load_matrix(Backend&, const WeightSource& source, const Allocator& allocate,
                                    const std::string& label) {
  const auto& [dtype, shape, bytes] = source.piece("data");
  auto matrix = std::make_shared<FloatMatrix>();
  matrix->shape = shape;
  matrix->dtype = dtype;
  matrix->data = bytes.to_buffer(allocate, Kind::Weights, dtype_size(dtype), label);
  return matrix;
}

std::shared_ptr<Weight> load_affine(Backend& backend, const WeightSource& source,
                                    const Allocator& allocate, const std::string& label) {
  return pack(AffineMatrix(source), allocate, label, static_cast<CpuBackend&>(backend).pool);
}

constexpr Layout kLayouts[] = {{"plain vector", vector_refuses, load_vector},
                               {"plain matrix", matrix_refuses, load_matrix},
                               {"affine tiles", affine_refuses, load_affine}};

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

Layouts CpuBackend::layouts() const { return kLayouts; }

std::unique_ptr<Backend> make_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace exl::cpu
