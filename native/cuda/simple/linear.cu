#include "cuda/simple/array.cuh"

namespace exl::cuda::simple {

namespace {

__global__ void float_linear_kernel(const FloatLinear a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.out) return;
  const int64_t row = i / a.out, n = i % a.out;
  float sum = 0;
  for (int64_t k = 0; k < a.in; k++) sum += get(a.x, row * a.in + k) * get(a.weight, n * a.in + k);
  put(a.y, i, a.bias.data ? sum + get(a.bias, n) : sum);
}

__device__ int code_of(const QuantLinear& a, const PackedRow& row, int64_t n) {
  const uint32_t mask = (1u << row.bits) - 1;
  const uint32_t low = a.matrix.codes[row.word * a.out + n];
  if (row.shift + row.bits <= 32) return int(low >> row.shift & mask);
  const uint32_t high = a.matrix.codes[(row.word + 1) * a.out + n];
  return int((low >> row.shift | high << (32 - row.shift)) & mask);
}

__device__ float rounded(float x) { return __half2float(__float2half_rn(x)); }

__device__ float weight_of(const QuantLinear& a, const PackedRow& row, int64_t n) {
  const QuantMatrix& m = a.matrix;
  const int64_t at = row.group * a.out + n;
  const int zero = m.zeros ? m.zeros[at] : 1 << (row.bits - 1);
  return rounded(float(code_of(a, row, n) - zero) * get(m.scales, at));
}

__global__ void quant_linear_kernel(const QuantLinear a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.out) return;
  const int64_t row = i / a.out, n = i % a.out;
  float sum = 0;
  for (int64_t p = 0; p < a.in; p++) {
    const PackedRow place = a.matrix.packed[p];
    sum += get(a.x, row * a.in + place.feature) * weight_of(a, place, n);
  }
  put(a.y, i, a.bias.data ? sum + get(a.bias, n) : sum);
}

}  // namespace

void float_linear(Stream stream, const FloatLinear& a) {
  launch_each(float_linear_kernel, stream, a.rows * a.out, a);
}
void quant_linear(Stream stream, const QuantLinear& a) {
  launch_each(quant_linear_kernel, stream, a.rows * a.out, a);
}

}  // namespace exl::cuda::simple
