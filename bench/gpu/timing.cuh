// Memory and times of bench/gpu/kernels.cu.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace exl::bench {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

// Noise that is no number's worth, but for halves: of either sign, from 2^-6 to 2^-5.
static __global__ void fill_words(uint32_t* to, size_t words, uint32_t seed) {
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < words;
       i += size_t(gridDim.x) * blockDim.x) {
    uint32_t x = uint32_t(i) * 2654435761u ^ seed;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13;
    to[i] = x;
  }
}
static __global__ void fill_halves(uint32_t* to, size_t words, uint32_t seed) {
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < words;
       i += size_t(gridDim.x) * blockDim.x) {
    uint32_t x = uint32_t(i) * 2654435761u ^ seed;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13;
    to[i] = (x & 0x83ff83ffu) | 0x24002400u;
  }
}

// Device memory of one measurement, freed with it.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    for (void* memory : blocks_) cudaFree(memory);
  }

  void* bytes(size_t count) {
    void* memory = nullptr;
    check(cudaMalloc(&memory, std::max<size_t>(count, 256)), "cudaMalloc");
    blocks_.push_back(memory);
    return memory;
  }
  template <typename T>
  T* words(size_t count) {
    auto* memory = bytes((count * sizeof(T) + 3) / 4 * 4);
    fill_words<<<1024, 256>>>(static_cast<uint32_t*>(memory), (count * sizeof(T) + 3) / 4, 1);
    return static_cast<T*>(memory);
  }
  template <typename T>
  T* halves(size_t count) {
    auto* memory = bytes((count * 2 + 3) / 4 * 4);
    fill_halves<<<1024, 256>>>(static_cast<uint32_t*>(memory), (count * 2 + 3) / 4, 2);
    return static_cast<T*>(memory);
  }
  template <typename T>
  T* copy(const std::vector<T>& from) {
    void* memory = bytes(from.size() * sizeof(T));
    check(cudaMemcpy(memory, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice),
          "cudaMemcpy");
    return static_cast<T*>(memory);
  }

 private:
  std::vector<void*> blocks_;
};

// Seconds of one of `count` launches, launch(stream, i) being the i-th: the median of nine replays
// of a graph of them all, the first left out.
inline double seconds_each(int count, const std::function<void(cudaStream_t, int)>& launch) {
  static cudaStream_t stream = [] {
    cudaStream_t made;
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreate");
    return made;
  }();
  check(cudaDeviceSynchronize(), "before a measurement");
  launch(stream, 0);  // loads the kernel, which a recording must not
  check(cudaStreamSynchronize(stream), "the first launch");
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  for (int i = 0; i < count; i++) launch(stream, i);
  cudaGraph_t graph;
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t exec;
  check(cudaGraphInstantiate(&exec, graph, 0), "cudaGraphInstantiate");
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  std::vector<float> times;
  for (int i = 0; i < 10; i++) {
    check(cudaEventRecord(begin, stream), "cudaEventRecord");
    check(cudaGraphLaunch(exec, stream), "cudaGraphLaunch");
    check(cudaEventRecord(end, stream), "cudaEventRecord");
    check(cudaEventSynchronize(end), "a replay");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (i > 0) times.push_back(milliseconds);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return double(times[4]) / 1e3 / count;
}

// Bytes per second that a card reads at best: all of a gigabyte, 16 bytes at a time, each summed.
static __global__ void read_all(const uint4* from, size_t count, uint32_t* sink) {
  uint32_t sum = 0;
  const size_t step = size_t(gridDim.x) * blockDim.x;
  size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
  for (; i + 3 * step < count; i += 4 * step) {
    uint4 v[4];
    for (int j = 0; j < 4; j++) v[j] = from[i + j * step];
    for (int j = 0; j < 4; j++) sum ^= v[j].x ^ v[j].y ^ v[j].z ^ v[j].w;
  }
  for (; i < count; i += step) sum ^= from[i].x;
  if (sum == 0x9e3779b1u) *sink = sum;
}

inline double read_limit() {
  constexpr size_t kBytes = size_t(1) << 30;
  Arena arena;
  const auto* from = reinterpret_cast<const uint4*>(arena.words<uint32_t>(kBytes / 4));
  auto* sink = arena.words<uint32_t>(1);
  double best = 0;
  for (const unsigned blocks : {1024u, 2048u, 4096u, 8192u}) {
    const double seconds = seconds_each(4, [&](cudaStream_t stream, int) {
      read_all<<<blocks, 256, 0, stream>>>(from, kBytes / sizeof(uint4), sink);
    });
    best = std::max(best, double(kBytes) / seconds);
  }
  return best;
}

}  // namespace exl::bench
