// A linear layer of up to 16 rows: the weights, which are read once, are all that counts.
//
//   x         [rows, in]   half, in a multiple of 8
//   weights   strips of 32 outputs in chunks of 32 inputs
//   y         [rows, out]  half or float
//
//   Grid      one block per strip of each layer; its warps take chunks in turn
//   Shared    a ring of kFewStages slots per warp; the inputs of the chunks at hand; at the end
//             the sums of all warps
//   Numerics  fp32 sums, per warp over its chunks in ascending order, then over warps; both depend
//             on the weights alone, so a row gives the same bits alone and among 16
//   Bound     memory: weights
//   Needs     mma, asynchronous copies
//
// The tensor cores multiply weights [16 outputs, 16 inputs] by rows [16 inputs, 8 rows]: with one
// row seven eighths of that is thrown away, but it costs one instruction where multiplying by hand
// costs eight, and all numbers of rows share one path.
#pragma once

#include "cuda/kernels/linear.cuh"

namespace exl::cuda {

inline constexpr int kFewStages = 4, kFewMaxThreads = 512, kFewMostLayers = 3;

template <typename Strips>
struct FewLayer {
  LinearCall<Strips> call;
  int warps;           // that share a strip; the others of the block only help with the inputs
  int chunks_at_once;  // per warp: those whose inputs are in shared memory
};

template <typename Strips>
struct FewLayers {
  FewLayer<Strips> at[kFewMostLayers];
};

// Halves from one row of inputs in shared memory to the next: 16 bytes more than a multiple of 128,
// so that eight rows do not meet in a bank.
__host__ __device__ constexpr int few_row_stride(int chunks) { return chunks * kChunkInputs + 8; }

// Copies the inputs of `chunks` chunks from `first` on, permuted, zeros beyond the last input.
template <typename Strips>
__device__ void stage_inputs(const LinearCall<Strips>& p, int first, int chunks, half* x) {
  const int vectors = chunks * (kChunkInputs / 8), stride = few_row_stride(chunks);
  for (int i = threadIdx.x; i < int(p.rows.rows) * vectors; i += blockDim.x) {
    const int row = i / vectors, at = i % vectors * 8, k = first * kChunkInputs + at;
    const half* from = p.rows.x + int64_t(row) * p.weights.in_size();
    Vector<half, 8> v{};
    if (k < p.weights.in_size()) {
      if (p.permutation) {
        const auto index = load<8>(p.permutation + k);
        for (int j = 0; j < 8; j++) v.at[j] = from[index.at[j]];
      } else {
        v = load<8>(from + k);
      }
    }
    store(x + row * stride + at, v);
  }
}

template <typename Strips, int kRowTiles>
__global__ void __launch_bounds__(kFewMaxThreads)
    linear_few_kernel(const __grid_constant__ FewLayers<Strips> layers) {
  ptx::allow_next_launch();
  int index = 0, strip = blockIdx.x;
  while (strip >= layers.at[index].call.weights.strips())
    strip -= layers.at[index++].call.weights.strips();
  const FewLayer<Strips> layer = layers.at[index];
  const LinearCall<Strips>& p = layer.call;

  const int warps = layer.warps, warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int g = lane / 4, t = lane % 4;
  const int chunks = p.weights.chunks(), rows = int(p.rows.rows);
  const int slot_bytes = p.weights.slot_bytes();
  auto* shared = ptx::dynamic_shared<unsigned char>();
  unsigned char* ring = shared + warp * kFewStages * slot_bytes;
  half* x = reinterpret_cast<half*>(shared + warps * kFewStages * slot_bytes);
  const int slice = layer.chunks_at_once * warps, stride = few_row_stride(slice);

  const auto fetch = [&](int chunk, int stage) {
    if (chunk < chunks)
      p.weights.template fetch<kWarp>(ring + stage * slot_bytes, strip, chunk, lane);
    ptx::cp_async_commit();
  };
  int chunk = warp < warps ? warp : chunks, stage = 0;
  for (int i = 0; i < kFewStages - 1; i++) fetch(chunk + i * warps, i);
  // Weights were complete before the first launch of a step: they need not wait for the inputs.
  ptx::await_last_launch();

  float sums[kRowTiles][2][4] = {};
  for (int first = 0; first < chunks; first += slice) {
    if (first > 0) __syncthreads();  // every warp has used the inputs that are overwritten now
    stage_inputs(p, first, slice, x);
    __syncthreads();  // the inputs are complete
    for (; chunk < min(first + slice, chunks); chunk += warps) {
      ptx::cp_async_wait<kFewStages - 2>();
      __syncwarp();  // this slot has arrived, and every lane has read the one before
      fetch(chunk + (kFewStages - 1) * warps, (stage + kFewStages - 1) % kFewStages);
      WeightFragment b;
      p.weights.fragment(ring + stage * slot_bytes, chunk, b);
#pragma unroll
      for (int tile = 0; tile < kRowTiles; tile++) {
        const int row = 8 * tile + g;
        Vector<uint32_t, 4> v{};
        if (row < rows)
          v = load<4>(reinterpret_cast<const uint32_t*>(x + row * stride +
                                                        (chunk - first) * kChunkInputs + 8 * t));
#pragma unroll
        for (int s = 0; s < 2; s++)
          for (int h = 0; h < 2; h++)
            ptx::mma_16x8x16(
                sums[tile][h],
                {b[s][2 * h][0], b[s][2 * h + 1][0], b[s][2 * h][1], b[s][2 * h + 1][1]},
                {v.at[2 * s], v.at[2 * s + 1]});
      }
      stage = (stage + 1) % kFewStages;
    }
  }

  __syncthreads();  // every warp is through with its ring and the inputs: the sums go there
  constexpr int kRows = 8 * kRowTiles;
  float* parts = ptx::dynamic_shared<float>();  // [warps, kRows, 32]
  for (int tile = 0; tile < kRowTiles && warp < warps; tile++)
    for (int h = 0; h < 2; h++)
      for (int i = 0; i < 4; i++) {
        const int row = 8 * tile + 2 * t + i % 2, column = 16 * h + 8 * (i / 2) + g;
        parts[(warp * kRows + row) * kStripOutputs + column] = sums[tile][h][i];
      }
  __syncthreads();  // the sums of all warps are there
  for (int i = threadIdx.x; i < rows * kStripOutputs; i += blockDim.x) {
    const int column = strip * kStripOutputs + i % kStripOutputs;
    if (column >= p.weights.out_size()) continue;
    float sum = 0;
    for (int w = 0; w < warps; w++) sum += parts[w * kRows * kStripOutputs + i];
    finish(p.rows, p.weights.out_size(), i / kStripOutputs, column, sum);
  }
}

}  // namespace exl::cuda
