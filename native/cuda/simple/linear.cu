#include "cuda/simple/array.cuh"

namespace exl::cuda::simple {

namespace {

__global__ void float_linear_kernel(const FloatLinear a) {
  const int64_t i = thread();
  if (i >= a.rows * a.out) return;
  const int64_t row = i / a.out, n = i % a.out;
  float sum = 0;
  for (int64_t k = 0; k < a.in; k++) sum += get(a.x, row * a.in + k) * get(a.weight, n * a.in + k);
  put(a.y, i, a.bias.data ? sum + get(a.bias, n) : sum);
}

__device__ uint32_t code_of(const QuantLinear& a, const PackedRow& row, int64_t n) {
  const uint32_t mask = (1u << row.bits) - 1;
  const uint32_t low = a.codes[row.word * a.out + n];
  if (row.shift + row.bits <= 32) return low >> row.shift & mask;
  const uint32_t high = a.codes[(row.word + 1) * a.out + n];
  return (low >> row.shift | high << (32 - row.shift)) & mask;
}

// The weight is rounded to a half, as the format defines it.
__global__ void quant_linear_kernel(const QuantLinear a) {
  const int64_t i = thread();
  if (i >= a.rows * a.out) return;
  const int64_t row = i / a.out, n = i % a.out;
  float sum = 0;
  for (int64_t p = 0; p < a.in; p++) {
    const PackedRow place = a.packed[p];
    const int64_t at = place.group * a.out + n;
    const float scale = __half2float(__ushort_as_half(a.scales[at]));
    const float code = float(int(code_of(a, place, n)) - int(a.zeros[at]));
    const float weight = __half2float(__float2half_rn(code * scale));
    sum += get(a.x, row * a.in + place.feature) * weight;
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
