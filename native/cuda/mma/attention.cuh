// One warp's part of attention: 16 query rows against tiles of keys and values in shared memory,
// with the running softmax of Milakov & Gimelshein, arXiv:1805.02867, as in FlashAttention
// (arXiv:2205.14135).
//
// A query row is one head of one token. Lane 4g + t holds rows g and g + 8 of everything.
//
// The sum over the elements of a head may run in any order, so each lane takes 8 neighbouring
// elements of every 32: one 16-byte load holds its part of two products of 16.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>

#include "cuda/device.cuh"
#include "cuda/mma/cache_codes.cuh"
#include "cuda/ptx/ldmatrix.cuh"
#include "cuda/ptx/mma.cuh"

namespace exl::cuda {

inline constexpr float kLog2E = 1.44269504f;

// Query rows g and g + 8: at(c, side) is elements 8t.. of chunk c. They are kept in registers, or,
// where the results of a long head leave no room, read again for every tile. Elements beyond the
// head's are zeros and change no product; so is a row that does not exist.
template <int kDim, bool kInRegisters = kDim <= 128>
struct Query {
  Vector<uint32_t, 4> of_chunk[kDim / 32][2];

  __device__ __forceinline__ void set(int side, const half* from, int dim) {
    for (int c = 0; c < kDim / 32; c++) {
      const int element = 32 * c + int(threadIdx.x % 4) * 8;
      of_chunk[c][side] = {};
      if (from && element < dim)
        of_chunk[c][side] = load<4>(reinterpret_cast<const uint32_t*>(from + element));
    }
  }
  __device__ __forceinline__ Vector<uint32_t, 4> at(int c, int side) const {
    return of_chunk[c][side];
  }

  // To H q / 32. Bits 0 to 2 of an element's place are in a lane, 3 and 4 are the lane's t.
  __device__ __forceinline__ void rotate() {
#pragma unroll
    for (int c = 0; c < kDim / 32; c++)
#pragma unroll
      for (int side = 0; side < 2; side++) {
        float x[8];
        for (int i = 0; i < 4; i++) {
          const half2 pair = bits_as<half2>(of_chunk[c][side].at[i]);
          x[2 * i] = __low2float(pair);
          x[2 * i + 1] = __high2float(pair);
        }
        for (int distance = 1; distance < 8; distance *= 2)
          for (int i = 0; i < 8; i++)
            if (!(i & distance)) butterfly(x[i], x[i + distance]);
        for (int i = 0; i < 8; i++) x[i] = butterfly(butterfly(x[i], 1), 2) * (1.0f / kCacheGroup);
        for (int i = 0; i < 4; i++)
          of_chunk[c][side].at[i] = bits_as<uint32_t>(__floats2half2_rn(x[2 * i], x[2 * i + 1]));
      }
  }
};

template <int kDim>
struct Query<kDim, false> {
  const half* rows[2];
  int dim_;

  __device__ __forceinline__ void set(int side, const half* from, int dim) {
    rows[side] = from;
    dim_ = dim;
  }
  __device__ __forceinline__ Vector<uint32_t, 4> at(int c, int side) const {
    const int element = 32 * c + int(threadIdx.x % 4) * 8;
    if (!rows[side] || element >= dim_) return {};
    return load<4>(reinterpret_cast<const uint32_t*>(rows[side] + element));
  }
};

// The softmax so far of two rows: sum of exp(score - most), of which each of four lanes has a part,
// and the sum of values weighted alike.
template <int kDim>
struct AttentionState {
  float out[kDim / 8][4];
  float most[2], sum[2];
};

template <int kDim>
__device__ __forceinline__ void clear(AttentionState<kDim>& state) {
  for (int d = 0; d < kDim / 8; d++)
    for (int i = 0; i < 4; i++) state.out[d][i] = 0;
  for (int i = 0; i < 2; i++) {
    state.most[i] = -INFINITY;
    state.sum[i] = 0;
  }
}

// Where 16 bytes of a token's row are in a tile [tokens, kDim]: moved about so that neither 8 lanes
// reading two tokens (keys) nor 8 reading a column of eight (values) meet in a bank.
template <int kDim>
__device__ __forceinline__ int tile_offset(int token, int column) {
  const int swizzle = (token & 1) << 2 | (token >> 1 & 3);
  return token * kDim + (column ^ swizzle) * 8;
}

// scores = Q K^T of a tile of keys.
template <int kDim, int kTokens, bool kInRegisters>
__device__ __forceinline__ void multiply_keys(const Query<kDim, kInRegisters>& q, const half* keys,
                                              float (&scores)[kTokens / 8][4]) {
  const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int n = 0; n < kTokens / 8; n++)
    for (int i = 0; i < 4; i++) scores[n][i] = 0;
#pragma unroll
  for (int c = 0; c < kDim / 32; c++) {
    const auto low = q.at(c, 0), high = q.at(c, 1);
#pragma unroll
    for (int n = 0; n < kTokens / 8; n++) {
      const auto key = load<4>(
          reinterpret_cast<const uint32_t*>(keys + tile_offset<kDim>(8 * n + g, 4 * c + t)));
      ptx::mma_16x8x16(scores[n], {low.at[0], high.at[0], low.at[1], high.at[1]},
                       {key.at[0], key.at[1]});
      ptx::mma_16x8x16(scores[n], {low.at[2], high.at[2], low.at[3], high.at[3]},
                       {key.at[2], key.at[3]});
    }
  }
}

// Scale, softcap and mask, all of which a row knows by itself: it sees tokens first .. last.
template <int kTokens>
__device__ __forceinline__ void adjust_scores(float (&scores)[kTokens / 8][4], float scale,
                                              float softcap, int first_token, const int (&first)[2],
                                              const int (&last)[2]) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < kTokens / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int token = first_token + 8 * n + 2 * t + i % 2;
      float score = scores[n][i] * scale;
      if (softcap != 0) score = softcap * tanhf(score / softcap);
      scores[n][i] = token < first[i / 2] || token > last[i / 2] ? -INFINITY : score;
    }
}

// Takes a tile of values into the state. A tile that a row does not see leaves its state as it was,
// to the bit.
template <int kDim, int kTokens>
__device__ __forceinline__ void absorb(AttentionState<kDim>& state, float (&scores)[kTokens / 8][4],
                                       const half* values) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    float most = state.most[i];
#pragma unroll
    for (int n = 0; n < kTokens / 8; n++)
      most = fmaxf(most, fmaxf(scores[n][2 * i], scores[n][2 * i + 1]));
    most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
    most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
    // A row that has seen nothing yet has no finite score to subtract.
    const float base = most == -INFINITY ? 0 : most;
    const float shrink = exp2f((state.most[i] - base) * kLog2E);
    state.most[i] = most;
    float sum = state.sum[i] * shrink;
#pragma unroll
    for (int n = 0; n < kTokens / 8; n++)
      for (int j = 2 * i; j < 2 * i + 2; j++) {
        scores[n][j] = exp2f((scores[n][j] - base) * kLog2E);
        sum += scores[n][j];
      }
    state.sum[i] = sum;
#pragma unroll
    for (int d = 0; d < kDim / 8; d++)
      for (int j = 2 * i; j < 2 * i + 2; j++) state.out[d][j] *= shrink;
  }

#pragma unroll
  for (int k = 0; k < kTokens / 16; k++) {
    uint32_t weights[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float* pair = &scores[2 * k + i / 2][i % 2 * 2];
      weights[i] = bits_as<uint32_t>(__floats2half2_rn(pair[0], pair[1]));
    }
    // Two tiles of 8 elements at a time, each of 8 + 8 tokens.
    const int token = 16 * k + lane / 8 % 2 * 8 + lane % 8;
#pragma unroll
    for (int d = 0; d < kDim / 8; d += 2) {
      uint32_t v[4];
      ptx::ldmatrix_transposed_x4(v, values + tile_offset<kDim>(token, d + lane / 16));
      ptx::mma_16x8x16(state.out[d], weights, {v[0], v[1]});
      ptx::mma_16x8x16(state.out[d + 1], weights, {v[2], v[3]});
    }
  }
}

// Rotates what has been mixed of rotated values. Bit 0 of an element's place is in a pair of a
// lane, 1 and 2 are the lane's t, 3 and 4 the tile's number.
template <int kDim>
__device__ __forceinline__ void rotate(AttentionState<kDim>& state) {
#pragma unroll
  for (int block = 0; block < kDim / 8; block += 4)
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
#pragma unroll
      for (int d = block; d < block + 4; d++) {
        butterfly(state.out[d][i], state.out[d][i + 1]);
        for (int j = i; j < i + 2; j++)
          state.out[d][j] = butterfly(butterfly(state.out[d][j], 1), 2) * (1.0f / kCacheGroup);
      }
      for (int j = i; j < i + 2; j++) {
        butterfly(state.out[block][j], state.out[block + 1][j]);
        butterfly(state.out[block + 2][j], state.out[block + 3][j]);
        butterfly(state.out[block][j], state.out[block + 2][j]);
        butterfly(state.out[block + 1][j], state.out[block + 3][j]);
      }
    }
}

// Adds up the parts of a sum that four lanes have.
__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(kAllLanes, x, 1);
  return x + __shfl_xor_sync(kAllLanes, x, 2);
}

}  // namespace exl::cuda
