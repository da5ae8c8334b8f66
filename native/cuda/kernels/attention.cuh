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

// Starts copying keys and values of `kTokens` tokens, `token` being the first, with `kThreads`
// threads of which the caller is number `thread`. Tokens after `last` are not in the cache yet.
template <int kDim, int kTokens, int kThreads>
__device__ __forceinline__ void fetch_tile(const AttentionParams& p, int page, int key_head,
                                           int token, int last, int thread, half* keys,
                                           half* values) {
  constexpr int kColumns = kDim / 8;
  const int64_t at =
      ((int64_t(page) * p.cache.key_heads + key_head) * kPageTokens + token % kPageTokens) *
      p.cache.dim;
#pragma unroll
  for (int i = thread; i < kTokens * kColumns; i += kThreads) {
    const int row = i / kColumns, column = i % kColumns;
    const bool present = token + row <= last && column * 8 < p.cache.dim;
    const int64_t from = at + int64_t(row) * p.cache.dim + column * 8;
    const int to = tile_offset<kDim>(row, column);
    ptx::cp_async_16(keys + to, p.cache.keys + (present ? from : 0), present);
    ptx::cp_async_16(values + to, p.cache.values + (present ? from : 0), present);
  }
}

__device__ __forceinline__ int page_of(const AttentionParams& p, int sequence, int token) {
  return p.step.pages[int64_t(sequence) * p.step.pages_per_sequence + token / kPageTokens];
}

}  // namespace exl::cuda
