// What a GPU can do at best, measured beside what we make of it: bytes per second that are read, which is what a token
// costs; those of a copy within its memory (read and written ones both count); and floating-point operations per second of
// a dense multiply of halves by cuBLAS, summed in fp32. Prints one line of JSON.
//
//   nvcc -std=c++20 -O3 -o limits bench/gpu/limits.cu -lcublas && ./limits
#include <cublas_v2.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "timing.cuh"

namespace {

void check(int status, const char* what) {
  if (status == 0) return;
  std::fprintf(stderr, "%s failed with status %d\n", what, status);
  std::exit(1);
}

// Median of several runs, the first left out.
template <typename F>
double milliseconds(F run) {
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  std::vector<float> times;
  for (int i = 0; i < 21; i++) {
    cudaEventRecord(begin);
    run();
    cudaEventRecord(end);
    check(cudaEventSynchronize(end), "a run");
    float time;
    cudaEventElapsedTime(&time, begin, end);
    if (i > 0) times.push_back(time);
  }
  std::nth_element(times.begin(), times.begin() + 10, times.end());
  return times[10];
}

}  // namespace

int main() {
  constexpr size_t bytes = size_t(1) << 30;
  void *from, *to;
  check(cudaMalloc(&from, bytes), "cudaMalloc");
  check(cudaMalloc(&to, bytes), "cudaMalloc");
  check(cudaMemset(from, 0, bytes), "cudaMemset");
  const double copy =
      milliseconds([&] { cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, nullptr); });

  constexpr int n = 8192;
  // The rate depends on the numbers: zeros take less power, and clocks rise.
  std::vector<half> values(size_t(n) * n);
  for (size_t i = 0; i < values.size(); i++) values[i] = half(float(i * 7919 % 1000) / 1000 - .5f);
  check(cudaMemcpy(from, values.data(), values.size() * 2, cudaMemcpyHostToDevice), "cudaMemcpy");
  half *a = static_cast<half*>(from), *b = a, *c = static_cast<half*>(to);
  cublasHandle_t handle;
  check(cublasCreate(&handle), "cublasCreate");
  const float one = 1, zero = 0;
  const double multiply = milliseconds([&] {
    check(cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, n, n, n, &one, a, CUDA_R_16F, n, b,
                       CUDA_R_16F, n, &zero, c, CUDA_R_16F, n, CUBLAS_COMPUTE_32F,
                       CUBLAS_GEMM_DEFAULT),
          "cublasGemmEx");
  });
  std::printf("{\"readBytesPerSecond\": %.4g, \"copyBytesPerSecond\": %.4g, \"halfFlopsPerSecond\": %.4g}\n",
              exl::bench::read_limit(), 2.0 * bytes / copy * 1e3, 2.0 * n * n * n / multiply * 1e3);
}
