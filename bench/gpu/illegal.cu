// What works after a kernel has written where there is nothing: in the same context, in the same
// process once the device was reset, and in another process, which has to run this again with
// --well. One line of JSON; the numbers are CUDA's errors, 0 where all went well.
//
//   nvcc -o illegal bench/gpu/illegal.cu && ./illegal; ./illegal --well
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

namespace {

__global__ void write(int* to) { to[threadIdx.x] = 1; }

// Of a launch that is waited for; the memory is the caller's, or new.
int run(int* to) {
  int* own = nullptr;
  if (!to) {
    if (const cudaError_t status = cudaMalloc(&own, 256)) return int(status);
    to = own;
  }
  write<<<1, 32>>>(to);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t ended = cudaDeviceSynchronize();
  if (own) cudaFree(own);
  return int(launched ? launched : ended);
}

}  // namespace

int main(int count, char** arguments) {
  const int before = run(nullptr);
  if (count > 1 && std::strcmp(arguments[1], "--well") == 0) {
    std::printf("{\"well\": %d}\n", before);
    return before != 0;
  }
  const int illegal = run(reinterpret_cast<int*>(size_t(1) << 60));
  const int same_context = run(nullptr);
  const int reset = int(cudaDeviceReset());
  const int after_reset = run(nullptr);
  std::printf(
      "{\"before\": %d, \"illegal\": %d, \"sameContext\": %d, \"reset\": %d, \"afterReset\": %d}\n",
      before, illegal, same_context, reset, after_reset);
  return before != 0 || illegal == 0;
}
