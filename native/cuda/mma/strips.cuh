// Weights of a linear layer as kernels see them, whatever their format: strips of 32 outputs in
// chunks of 32 inputs, which come to a slot of shared memory and leave it as a WeightFragment.
//
// Each format has
//
//   slot_bytes()                        of one chunk of one strip, a multiple of 16
//   fetch<kThreads>(slot, strip, chunk, thread)   starts its copy
//   fragment(slot, chunk, b)            the calling lane's weights
#pragma once

#include "cuda/mma/dequantise.cuh"
#include "cuda/ptx/cp_async.cuh"

namespace exl::cuda {

// kZeros: zero points are stored, and codes have 4 bits. Else they have any width.
template <bool kZeros>
struct QuantStrips {
  QuantWeight w;

  static constexpr int kScaleBytes = kStripOutputs * 2, kZeroBytes = kZeros ? kStripOutputs : 0;

  __host__ __device__ int in_size() const { return w.in; }
  __host__ __device__ int out_size() const { return w.out; }
  __host__ __device__ int chunks() const { return int(ceil_div(w.in, kChunkInputs)); }
  __host__ __device__ int strips() const { return int(ceil_div(w.out, kStripOutputs)); }
  __host__ __device__ int slot_bytes() const {
    return kChunkInputs * 4 * w.max_bits + kScaleBytes + kZeroBytes;
  }

  // Scales and zeros first: where they are does not depend on the width.
  template <int kThreads>
  __device__ __forceinline__ void fetch(unsigned char* slot, int strip, int chunk,
                                        int thread) const {
    const bool exists = strip < strips();
    if (!exists) strip = 0;
    const ChunkPlace place{__ldg(w.chunks + chunk)};
    const int64_t row = (int64_t(strip) * w.groups + place.group()) * kStripOutputs;
    const uint32_t* codes = w.codes + strip * w.words_per_strip + place.first_word();
    const int pieces = place.bits() * (kChunkInputs * 4 / 16);
    for (int i = thread; i < pieces; i += kThreads)
      ptx::cp_async_16(slot + kScaleBytes + kZeroBytes + 16 * i, codes + 4 * i, exists);
    // The last threads, which have the fewest codes to copy.
    const int rest = kThreads - 1 - thread;
    if (rest < kScaleBytes / 16)
      ptx::cp_async_16(slot + 16 * rest, w.scales + row + 8 * rest, exists);
    if constexpr (kZeros) {
      const int piece = rest - kScaleBytes / 16;
      if (piece >= 0 && piece < kZeroBytes / 16)
        ptx::cp_async_16(slot + kScaleBytes + 16 * piece, w.zeros + row + 16 * piece, exists);
    }
  }

  __device__ __forceinline__ void fragment(const unsigned char* slot, int chunk,
                                           WeightFragment& b) const {
    const int g = threadIdx.x % kWarp / 4;
    const auto scale = load<4>(reinterpret_cast<const half*>(slot) + 4 * g);
    half2 scales[4], zeros[4];
    for (int f = 0; f < 4; f++) scales[f] = __half2half2(scale.at[f]);
    const auto* codes = reinterpret_cast<const uint32_t*>(slot + kScaleBytes + kZeroBytes);
    if constexpr (kZeros) {
      const auto zero = load<4>(slot + kScaleBytes + 4 * g);
      for (int f = 0; f < 4; f++)
        zeros[f] = __half2half2(__ushort_as_half(uint16_t(0x6400 | zero.at[f])));
      dequantise<4>(codes, zeros, scales, b);
    } else {
      const int bits = ChunkPlace{__ldg(w.chunks + chunk)}.bits();
      const half2 zero = __half2half2(__ushort_as_half(uint16_t(0x6400 | 1 << (bits - 1))));
      for (int f = 0; f < 4; f++) zeros[f] = zero;
      switch (bits) {
        case 2:
          return dequantise<2>(codes, zeros, scales, b);
        case 3:
          return dequantise<3>(codes, zeros, scales, b);
        case 4:
          return dequantise<4>(codes, zeros, scales, b);
        case 5:
          return dequantise<5>(codes, zeros, scales, b);
        case 6:
          return dequantise<6>(codes, zeros, scales, b);
        default:
          return dequantise<8>(codes, zeros, scales, b);
      }
    }
  }
};

// Plain halves [out, in], as they are on disk.
struct HalfStrips {
  const half* weight;
  int in, out;

  __host__ __device__ int in_size() const { return in; }
  __host__ __device__ int out_size() const { return out; }
  __host__ __device__ int chunks() const { return int(ceil_div(in, kChunkInputs)); }
  __host__ __device__ int strips() const { return int(ceil_div(out, kStripOutputs)); }
  __host__ __device__ int slot_bytes() const { return kStripOutputs * kChunkInputs * 2; }

  template <int kThreads>
  __device__ __forceinline__ void fetch(unsigned char* slot, int strip, int chunk,
                                        int thread) const {
    constexpr int kPieces = kChunkInputs * 2 / 16;  // of a row
    for (int i = thread; i < kStripOutputs * kPieces; i += kThreads) {
      const int row = strip * kStripOutputs + i / kPieces;
      const int column = chunk * kChunkInputs + i % kPieces * 8;
      const bool exists = row < out && column < in;
      ptx::cp_async_16(slot + 16 * i, weight + (exists ? int64_t(row) * in + column : 0), exists);
    }
  }

  __device__ __forceinline__ void fragment(const unsigned char* slot, int,
                                           WeightFragment& b) const {
    const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int f = 0; f < 4; f++) {
      const auto words = load<4>(
          reinterpret_cast<const uint32_t*>(slot + (8 * f + g) * kChunkInputs * 2 + t * 16));
      for (int i = 0; i < 4; i++) b[i / 2][f][i % 2] = words.at[i];
    }
  }
};

}  // namespace exl::cuda
