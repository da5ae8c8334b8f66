// A linear layer of up to 16 rows: the weights, which are read once, are all that counts.
//
//   x         [rows, in]   half, in a multiple of 8
//   weights   strips of 32 outputs in chunks of 32 inputs
//   y         [rows, out]  half or float
//
//   Grid      one block per strip, or two strips, of each layer; its warps take chunks in turn
//   Shared    a ring of slots per warp and strip; WholeInputs: x; at the end the sums of all warps
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

inline constexpr int kFewMaxThreads = 512;

template <typename Strips>
struct FewLayer {
  LinearCall<Strips> call;
  int warps;  // that share a strip; the others of the block only help with the inputs
};

template <typename Strips>
struct FewLayers {
  FewLayer<Strips> at[kMostLayersAtOnce];
};

using InputFragment = Vector<uint32_t, 4>;  // 8 neighbouring inputs of one row

// 16 bytes more than a multiple of 128, so that eight rows do not meet in a bank.
__host__ __device__ inline int whole_row_halves(int in) { return int(ceil_div(in, 64)) * 64 + 8; }
__host__ __device__ inline int whole_inputs_bytes(int in, int rows) {
  return rows * whole_row_halves(in) * int(sizeof(half));
}

// Few inputs: all of them come to shared memory as they are, and are put in order on their way out,
// where that costs least. A warp multiplies one strip.
template <typename Strips>
struct WholeInputs {
  static constexpr int kStrips = 1, kStages = 4, kRowTiles = 1;
  static constexpr int kBlocks =
      2;  // on a multiprocessor, so that one loads while the other adds up

  __host__ __device__ static int shared_bytes(int in, int rows) {
    return whole_inputs_bytes(in, rows);
  }

  const LinearCall<Strips>& p;
  half* x;
  Vector<uint16_t, 8> order;

  __device__ __forceinline__ WholeInputs(const LinearCall<Strips>& call, unsigned char* shared)
      : p(call), x(reinterpret_cast<half*>(shared)), order() {}

  __device__ __forceinline__ void begin() {
    const int in = p.weights.in_size(), vectors = in / 8;
    for (int i = threadIdx.x; i < int(p.rows.rows) * vectors; i += blockDim.x)
      store(x + i / vectors * whole_row_halves(in) + i % vectors * 8, load<8>(p.rows.x + i * 8));
    __syncthreads();  // the inputs are complete
  }

  // Starts what takes long, for the 8 inputs from `k` on.
  __device__ __forceinline__ void prepare(int k) {
    if (p.permutation && k < p.weights.in_size()) order = load<8>(p.permutation + k);
  }

  __device__ __forceinline__ InputFragment take(int row, int, int k) const {
    if (row >= int(p.rows.rows) || k >= p.weights.in_size()) return {};
    const half* from = x + row * whole_row_halves(p.weights.in_size());
    if (!p.permutation) return load<4>(reinterpret_cast<const uint32_t*>(from + k));
    Vector<half, 8> v;
    for (int j = 0; j < 8; j++) v.at[j] = from[order.at[j]];
    return bits_as<InputFragment>(v);
  }
};

// Many inputs, in order already: each is used by one warp of a block, which reads it from where it
// is. For 16 rows that is twice as much as the weights of a strip, so a warp multiplies two strips.
template <typename Strips, int kTiles>
struct DirectInputs {
  static constexpr int kStrips = 2, kStages = 3, kRowTiles = kTiles;
  static constexpr int kBlocks = 1;  // the sums take the registers

  __host__ __device__ static int shared_bytes(int, int) { return 0; }

  const LinearCall<Strips>& p;
  InputFragment next[kTiles];

  __device__ __forceinline__ DirectInputs(const LinearCall<Strips>& call, unsigned char*)
      : p(call), next() {}
  __device__ __forceinline__ void begin() {}

  __device__ __forceinline__ void prepare(int k) {
#pragma unroll
    for (int tile = 0; tile < kTiles; tile++) {
      const int row = 8 * tile + int(threadIdx.x) % kWarp / 4;
      next[tile] = {};
      if (row < int(p.rows.rows) && k < p.weights.in_size())
        next[tile] = load<4>(
            reinterpret_cast<const uint32_t*>(p.rows.x + int64_t(row) * p.weights.in_size() + k));
    }
  }

  __device__ __forceinline__ InputFragment take(int, int tile, int) const { return next[tile]; }
};

template <typename Strips, typename Inputs>
__global__ void __launch_bounds__(kFewMaxThreads, Inputs::kBlocks)
    linear_few_kernel(const __grid_constant__ FewLayers<Strips> layers) {
  constexpr int kStrips = Inputs::kStrips, kStages = Inputs::kStages;
  constexpr int kRowTiles = Inputs::kRowTiles, kRows = 8 * kRowTiles;
  ptx::allow_next_launch();
  int index = 0, block = blockIdx.x;
  const auto blocks = [&] {
    return int(ceil_div(layers.at[index].call.weights.strips(), kStrips));
  };
  for (; block >= blocks(); index++) block -= blocks();
  const FewLayer<Strips> layer = layers.at[index];
  const LinearCall<Strips>& p = layer.call;

  const int warps = layer.warps, warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int g = lane / 4, t = lane % 4;
  const int first_strip = block * kStrips, chunks = p.weights.chunks();
  const int slot_bytes = p.weights.slot_bytes();
  auto* shared = ptx::dynamic_shared<unsigned char>();
  unsigned char* ring = shared + warp * kStages * kStrips * slot_bytes;
  Inputs inputs(p, shared + warps * kStages * kStrips * slot_bytes);

  const auto fetch = [&](int chunk, int stage) {
    if (chunk < chunks)
#pragma unroll 1  // addresses of both strips at once would take registers that there are not
      for (int i = 0; i < kStrips; i++)
        p.weights.template fetch<kWarp>(ring + (stage * kStrips + i) * slot_bytes, first_strip + i,
                                        chunk, lane);
    ptx::cp_async_commit();
  };
  int chunk = warp < warps ? warp : chunks, stage = 0;
  for (int i = 0; i < kStages - 1; i++) fetch(chunk + i * warps, i);
  // Weights were complete before the first launch of a step: they need not wait for the inputs.
  ptx::await_last_launch();
  inputs.begin();
  if (chunk < chunks) inputs.prepare(chunk * kChunkInputs + 8 * t);

  float sums[kStrips][kRowTiles][2][4] = {};
  for (; chunk < chunks; chunk += warps) {
    InputFragment x[kRowTiles];
#pragma unroll
    for (int tile = 0; tile < kRowTiles; tile++)
      x[tile] = inputs.take(8 * tile + g, tile, chunk * kChunkInputs + 8 * t);
    inputs.prepare((chunk + warps) * kChunkInputs + 8 * t);
    ptx::cp_async_wait<kStages - 2>();
    __syncwarp();  // this slot has arrived, and every lane has read the one before
    fetch(chunk + (kStages - 1) * warps, (stage + kStages - 1) % kStages);
#pragma unroll
    for (int i = 0; i < kStrips; i++) {
      WeightFragment b;
      p.weights.fragment(ring + (stage * kStrips + i) * slot_bytes, chunk, b);
#pragma unroll
      for (int tile = 0; tile < kRowTiles; tile++)
#pragma unroll
        for (int s = 0; s < 2; s++)
          for (int h = 0; h < 2; h++)
            ptx::mma_16x8x16(
                sums[i][tile][h],
                {b[s][2 * h][0], b[s][2 * h + 1][0], b[s][2 * h][1], b[s][2 * h + 1][1]},
                {x[tile].at[2 * s], x[tile].at[2 * s + 1]});
    }
    stage = (stage + 1) % kStages;
  }

  __syncthreads();  // every warp is through with its ring and the inputs: the sums go there
  constexpr int kOutputs = kStrips * kStripOutputs;
  float* parts = ptx::dynamic_shared<float>();  // [warps, kRows, kOutputs]
  if (warp < warps)
    for (int strip = 0; strip < kStrips; strip++)
      for (int tile = 0; tile < kRowTiles; tile++)
        for (int h = 0; h < 2; h++)
          for (int i = 0; i < 4; i++) {
            const int row = 8 * tile + 2 * t + i % 2;
            const int column = strip * kStripOutputs + 16 * h + 8 * (i / 2) + g;
            parts[(warp * kRows + row) * kOutputs + column] = sums[strip][tile][h][i];
          }
  __syncthreads();  // the sums of all warps are there
  for (int i = threadIdx.x; i < int(p.rows.rows) * kOutputs; i += blockDim.x) {
    const int column = first_strip * kStripOutputs + i % kOutputs;
    if (column >= p.weights.out_size()) continue;
    float sum = 0;
    for (int w = 0; w < warps; w++) sum += parts[w * kRows * kOutputs + i];
    finish(p.rows, p.weights.out_size(), i / kOutputs, column, sum);
  }
}

}  // namespace exl::cuda
