// What sampling needs of a row of logits, one block per row.
//
//   logits    [rows, padded]  float
//
//   Grid      rows blocks of kSampleThreads; a thread owns every kSampleThreads-th logit
//   Shared    a histogram, or the candidates
//   Numerics  comparisons are exact; sums of exponentials in fp32, in a fixed order
//   Bound     memory: top_k reads its row twice, and once more for every 8 bits it has to tell
//             apart if more than kMostCandidates reach its first bound
//   Needs     warp shuffles, and atomic counting in shared memory, where order does not matter
#pragma once

#include "cuda/device.cuh"
#include "cuda/kernels/kernels.h"

namespace exl::cuda {

inline constexpr int kSampleThreads = 1024;

// One number per logit that orders as they do: by value, then the lower id first. No two are equal.
__device__ __forceinline__ uint64_t rank_of(float logit, int id) {
  const uint32_t bits = __float_as_uint(logit + 0.0f);  // so that -0 and 0 are equals
  const uint32_t ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return uint64_t(ordered) << 32 | uint32_t(~id);
}
__device__ __forceinline__ int id_of(uint64_t rank) { return int(~uint32_t(rank)); }

// The largest rank of the row, in every thread.
__device__ __forceinline__ uint64_t largest_rank(const float* logits, int vocabulary) {
  struct Storage {
    uint64_t of_warp[kSampleThreads / kWarp];
  };
  auto& shared = ptx::static_shared<Storage>();
  uint64_t best = 0;
  for (int id = threadIdx.x; id < vocabulary; id += kSampleThreads)
    best = max(best, rank_of(logits[id], id));
  for (int flip = kWarp / 2; flip > 0; flip /= 2)
    best = max(best, __shfl_xor_sync(kAllLanes, best, flip));
  if (threadIdx.x % kWarp == 0) shared.of_warp[threadIdx.x / kWarp] = best;
  __syncthreads();  // the best of all warps are written
  for (int warp = 0; warp < kSampleThreads / kWarp; warp++) best = max(best, shared.of_warp[warp]);
  return best;
}

__device__ __forceinline__ float sum_of_exp(const float* logits, int vocabulary, float most) {
  float sum = 0;
  for (int id = threadIdx.x; id < vocabulary; id += kSampleThreads) sum += expf(logits[id] - most);
  return block_sum<kSampleThreads>(sum);
}

__global__ void __launch_bounds__(kSampleThreads) arg_max_kernel(const ArgMaxParams p) {
  ptx::begin();
  const float* logits = p.rows.logits + int64_t(blockIdx.x) * p.rows.padded;
  const uint64_t best = largest_rank(logits, p.rows.vocabulary);
  if (threadIdx.x == 0) p.ids[blockIdx.x] = id_of(best);
}

__global__ void __launch_bounds__(kSampleThreads)
    token_log_prob_kernel(const TokenLogProbParams p) {
  ptx::begin();
  const float* logits = p.rows.logits + int64_t(blockIdx.x) * p.rows.padded;
  const float most = logits[id_of(largest_rank(logits, p.rows.vocabulary))];
  const float sum = sum_of_exp(logits, p.rows.vocabulary, most);
  if (threadIdx.x == 0) p.y[blockIdx.x] = logits[p.targets[blockIdx.x]] - most - logf(sum);
}

// Candidates that a row may have before their exact number has to be counted.
inline constexpr int kMostCandidates = 2 * kMostTopK;
static_assert(kMostTopK <= kSampleThreads);

struct TopKStorage {
  int count[256];
  uint64_t least;  // the rank of the k-th candidate
  int shift, taken;
  uint64_t ranks[kMostCandidates];
};

// The rank of the k-th largest, found 8 bits at a time: count who has which bits among those who
// agree with what is known, and see in which the k-th falls.
__device__ __forceinline__ void find_least(TopKStorage& shared, const float* logits, int vocabulary,
                                           int k) {
  int wanted = k;  // thread 0: how many of those who agree
  if (threadIdx.x == 0) {
    shared.least = 0;
    shared.shift = 64;
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < 256; i += kSampleThreads) shared.count[i] = 0;
    __syncthreads();  // counts are zero, and what is known is written
    const uint64_t known = shift < 56 ? shared.least >> (shift + 8) : 0;
    for (int id = threadIdx.x; id < vocabulary; id += kSampleThreads) {
      const uint64_t rank = rank_of(logits[id], id);
      if (shift == 56 || rank >> (shift + 8) == known)
        atomicAdd(&shared.count[rank >> shift & 255], 1);
    }
    __syncthreads();  // all are counted
    if (threadIdx.x == 0) {
      int bits = 255;
      while (shared.count[bits] < wanted) wanted -= shared.count[bits--];
      shared.least |= uint64_t(bits) << shift;
      // When all who agree are wanted, the bits that are left do not matter.
      if (shared.count[bits] == wanted) shared.shift = shift;
    }
    __syncthreads();  // the next bits are known
    if (shared.shift == shift) return;
  }
}

// Sorts `size` ranks, a power of two, largest first (Batcher's bitonic network).
__device__ __forceinline__ void sort_ranks(uint64_t* ranks, int size) {
  for (int run = 2; run <= size; run *= 2)
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int i = threadIdx.x; i < size; i += kSampleThreads) {
        const int other = i ^ distance;
        const bool descending = (i & run) == 0;
        if (other > i && (ranks[i] < ranks[other]) == descending) {
          const uint64_t rank = ranks[i];
          ranks[i] = ranks[other];
          ranks[other] = rank;
        }
      }
      __syncthreads();  // this step is done everywhere before the next compares its results
    }
}

// Every rank from `least` on, in any order; returns how many there are.
__device__ __forceinline__ int collect(TopKStorage& shared, const float* logits, int vocabulary,
                                       uint64_t least) {
  if (threadIdx.x == 0) shared.taken = 0;
  __syncthreads();  // no place is taken, and all have read what was there before
  for (int id = threadIdx.x; id < vocabulary; id += kSampleThreads) {
    const uint64_t rank = rank_of(logits[id], id);
    if (rank < least) continue;
    const int place = atomicAdd(&shared.taken, 1);
    if (place < kMostCandidates) shared.ranks[place] = rank;
  }
  __syncthreads();  // all candidates have their places
  return shared.taken;
}

// A bound that at least k reach and few others: the k-th largest of what is largest for a thread.
__device__ __forceinline__ uint64_t bound(TopKStorage& shared, const float* logits, int vocabulary,
                                          int k) {
  uint64_t best = 0;
  for (int id = threadIdx.x; id < vocabulary; id += kSampleThreads)
    best = max(best, rank_of(logits[id], id));
  shared.ranks[threadIdx.x] = best;
  __syncthreads();  // that of every thread is there
  sort_ranks(shared.ranks, kSampleThreads);
  return shared.ranks[k - 1];
}

__global__ void __launch_bounds__(kSampleThreads) top_k_kernel(const TopKParams p) {
  ptx::begin();
  auto& shared = ptx::static_shared<TopKStorage>();
  const int vocabulary = p.rows.vocabulary;
  const float* logits = p.rows.logits + int64_t(blockIdx.x) * p.rows.padded;
  int taken = collect(shared, logits, vocabulary, bound(shared, logits, vocabulary, p.k));
  if (taken > kMostCandidates) {  // the largest are with few threads
    find_least(shared, logits, vocabulary, p.k);
    taken = collect(shared, logits, vocabulary, shared.least);
  }
  int size = 1;
  while (size < taken) size *= 2;
  for (int i = taken + threadIdx.x; i < size; i += kSampleThreads) shared.ranks[i] = 0;
  __syncthreads();  // places that are left are empty
  sort_ranks(shared.ranks, size);

  for (int i = threadIdx.x; i < p.k; i += kSampleThreads) {
    const int id = id_of(shared.ranks[i]);
    p.ids[int64_t(blockIdx.x) * p.k + i] = id;
    p.values[int64_t(blockIdx.x) * p.k + i] = logits[id];
  }
  if (!p.log_sum) return;
  const float most = logits[id_of(shared.ranks[0])];
  const float sum = sum_of_exp(logits, p.rows.vocabulary, most);
  if (threadIdx.x == 0) p.log_sum[blockIdx.x] = most + logf(sum);
}

}  // namespace exl::cuda
