// What attention kernels share: who a query row is, and how tiles come from their pages.
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/mma/attention.cuh"
#include "cuda/ptx/cp_async.cuh"

namespace exl::cuda {

// The tokens a row of the step sees, in its sequence. A row that does not exist sees none.
struct Sight {
  int first = 0, last = -1;
};

__device__ __forceinline__ Sight sight(const AttentionParams& p, int64_t row) {
  const int last = p.step.positions[row];
  return {p.window > 0 ? max(0, last - p.window + 1) : 0, last};
}

__device__ __forceinline__ const half* query_of(const AttentionParams& p, int64_t row, int head) {
  return p.q + row * p.q_stride + int64_t(head) * p.cache.dim;
}

// Where a token is in the cache of a key head, in tokens.
__device__ __forceinline__ int64_t first_token(const AttentionParams& p, int sequence, int key_head,
                                               int token) {
  const int64_t page =
      p.step.pages[int64_t(sequence) * p.step.pages_per_sequence + token / kPageTokens];
  return (page * p.cache.key_heads + key_head) * kPageTokens + token % kPageTokens;
}

// Tiles of kTokens keys and values, one after another, on their way through shared memory, for
// kThreads threads of which the caller is number `thread`. `sync` is their barrier. Tokens after
// the last, which may not be in the cache yet, become zeros.
//
//   open(token)        starts with the first tile
//   next(token)        waits for the tile at hand, and starts the one at `token`; returns keys,
//                      which values follow
//   close()            the tile at hand has been read
template <int kDim, int kTokens, int kThreads, bool kQuantised, typename Sync>
struct Tiles {
  static constexpr int kTile = kTokens * kDim;

  const AttentionParams& p;
  half* stages;  // [2][keys, values][kTokens, kDim]
  int sequence, key_head, last, thread;
  Sync sync;
  int stage = 0;

  __device__ __forceinline__ void fetch(int token, int to) {
    if (token <= last) {
      constexpr int kColumns = kDim / 8;
      const int64_t at = first_token(p, sequence, key_head, token) * p.cache.dim;
      half* keys = stages + to * 2 * kTile;
#pragma unroll
      for (int i = thread; i < kTokens * kColumns; i += kThreads) {
        const int row = i / kColumns, column = i % kColumns;
        const bool present = token + row <= last && column * 8 < p.cache.dim;
        const int64_t from = present ? at + int64_t(row) * p.cache.dim + column * 8 : 0;
        const int offset = tile_offset<kDim>(row, column);
        ptx::cp_async_16(keys + offset, static_cast<const half*>(p.cache.keys) + from, present);
        ptx::cp_async_16(keys + kTile + offset, static_cast<const half*>(p.cache.values) + from,
                         present);
      }
    }
    ptx::cp_async_commit();
  }

  __device__ __forceinline__ void open(int token) { fetch(token, stage); }
  __device__ __forceinline__ const half* next(int token) {
    fetch(token, stage ^ 1);
    ptx::cp_async_wait<1>();
    sync();  // everyone's part of this stage has arrived
    return stages + stage * 2 * kTile;
  }
  __device__ __forceinline__ void close() {
    // Everyone has read this stage, which the next fetch overwrites. In a warp ldmatrix, the last
    // to read, reads for all lanes at once, but nothing promises that it has by now.
    sync();
    stage ^= 1;
  }
};

template <int kDim, int kTokens, bool kQuantised>
__host__ __device__ constexpr int tiles_bytes() {
  constexpr int kTile = kTokens * kDim;
  return kQuantised ? 2 * (kTile * 2 + kTile + kTile / kCacheGroup * 2) : 2 * 2 * kTile * 2;
}

// The codes of the next tile are on their way while the halves of this one are used.
template <int kDim, int kTokens, int kThreads, typename Sync>
struct Tiles<kDim, kTokens, kThreads, true, Sync> {
  static constexpr int kTile = kTokens * kDim;

  const AttentionParams& p;
  half* stages;  // [keys, values][kTokens, kDim], then codes and scales of each
  int sequence, key_head, last, thread;
  Sync sync;
  int token = 0;

  struct Side {
    CacheCode code;
    const void* codes;
    const half* scales;
    unsigned char* shared_codes;
    half* shared_scales;
  };
  __device__ __forceinline__ Side side(int i) const {
    auto* codes = reinterpret_cast<unsigned char*>(stages + 2 * kTile);
    auto* scales = reinterpret_cast<half*>(codes + 2 * kTile);
    return i == 0 ? Side{p.cache.key_code, p.cache.keys, p.cache.key_scales, codes, scales}
                  : Side{p.cache.value_code, p.cache.values, p.cache.value_scales, codes + kTile,
                         scales + kTile / kCacheGroup};
  }

  __device__ __forceinline__ void fetch(int from_token) {
    token = from_token;
    if (token <= last) {
      const int64_t at = first_token(p, sequence, key_head, token);
      for (int i = 0; i < 2; i++) {
        const Side s = side(i);
        const int token_bytes = p.cache.dim * code_bits(s.code) / 8;
        const auto* codes = static_cast<const unsigned char*>(s.codes) + at * token_bytes;
        for (int j = thread * 16; j < kTokens * token_bytes; j += kThreads * 16)
          ptx::cp_async_16(s.shared_codes + j, codes + j);
        if (!is_rotated(s.code)) continue;
        const int groups = p.cache.dim / kCacheGroup;
        for (int j = thread * 8; j < kTokens * groups; j += kThreads * 8)
          ptx::cp_async_16(s.shared_scales + j, s.scales + at * groups + j);
      }
    }
    ptx::cp_async_commit();
  }

  __device__ __forceinline__ void open(int first) { fetch(first); }
  __device__ __forceinline__ const half* next(int following) {
    ptx::cp_async_wait<0>();
    sync();  // everyone's part of the codes has arrived, and everyone has read the last halves
    for (int i = 0; i < 2; i++) {
      const Side s = side(i);
      const int token_bytes = p.cache.dim * code_bits(s.code) / 8;
      for (int j = thread; j < kTile / 8; j += kThreads) {
        const int row = j / (kDim / 8), column = j % (kDim / 8);
        Vector<uint32_t, 4> v{};
        if (token + row <= last && column * 8 < p.cache.dim) {
          const half scale =
              is_rotated(s.code)
                  ? s.shared_scales[row * (p.cache.dim / kCacheGroup) + column * 8 / kCacheGroup]
                  : __float2half_rn(1);
          v = read_codes(s.code, s.shared_codes + row * token_bytes + column * code_bits(s.code),
                         scale);
        }
        store(reinterpret_cast<uint32_t*>(stages + i * kTile + tile_offset<kDim>(row, column)), v);
      }
    }
    sync();  // the halves are complete, and the codes may be overwritten
    fetch(following);
    return stages;
  }
  __device__ __forceinline__ void close() {}
};

}  // namespace exl::cuda
