// How a quantised matrix lies in device memory. It is cut into strips of 32 outputs and chunks of
// 32 inputs; a chunk of a strip is what one warp multiplies at a time, stored so that each lane
// finds the weights of its place in the tensor cores' fragments, and nothing is moved between
// lanes.
//
// Lane 4g + t has 16 pairs of weights. Pair j = (s * 4 + f) * 2 + r is of
//
//   inputs 8t + 4s + 2r and the next, outputs 8f + g        (of the chunk and strip)
//
// Codes of b bits are cut into planes of 4, 2 and 1 bits, low bits first: 8 = 4 + 4, 6 = 4 + 2,
// 5 = 4 + 1, 3 = 2 + 1. A plane of w bits gives every lane w words, next to each other, the planes
// one after another. Pair j is in word j * w / 16 of its lane, its codes in the w bits from
// j * w % 16 and from 16 beyond that, where one mask extracts both.
//
//   codes   [strips][chunks in order: 32 * bits words each]
//   scales  [strips][groups][8 of g][4 of f] halves; 0 for outputs that are only padding
//   zeros   the same, in bytes
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define EXL_HOST_DEVICE __host__ __device__
#else
#define EXL_HOST_DEVICE
#endif

struct __half;

namespace exl::cuda {

inline constexpr int kStripOutputs = 32, kChunkInputs = 32;

struct QuantWeight {
  const uint32_t* codes;
  const __half* scales;
  const uint8_t* zeros;         // null: zero points are half the range, 2^(bits - 1)
  const uint32_t* chunks;       // [chunks], as chunk_place() writes them
  const uint16_t* permutation;  // stored row k multiplies x[permutation[k]]; null: x[k]
  int in, out;
  int groups;
  int max_bits;
  int64_t words_per_strip;
  int block_shared_bytes;  // that a block may have where it is
};

// Where a chunk is and how to read it, in one word: bits of all chunks before it (15 bits), its
// group (11 bits), its own bits (4 bits).
struct ChunkPlace {
  uint32_t word;

  EXL_HOST_DEVICE int first_word() const { return int(word & 0x7fff) * kChunkInputs; }
  EXL_HOST_DEVICE int group() const { return int(word >> 15 & 0x7ff); }
  EXL_HOST_DEVICE int bits() const { return int(word >> 26); }
};

inline uint32_t chunk_place(int bits_before, int group, int bits) {
  return uint32_t(bits_before) | uint32_t(group) << 15 | uint32_t(bits) << 26;
}

}  // namespace exl::cuda
