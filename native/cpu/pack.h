// Quantised matrices as the CPU kernels read them.
//
// Columns are cut into tiles of 16, one per vector lane; rows (in packed order, each group padded
// to a multiple of 32) into chunks of 32. A tile is one stream of bytes, chunk after chunk, so each
// thread reads memory in order. In a chunk, byte 4 * lane + b of a 64-byte vector holds row 4 *
// quad + b of column `lane`; the bits of a code are split into planes:
//
//   plane of 4 bits   4 vectors; vector v holds quad 2v in its low nibbles, quad 2v + 1 in the high
//   plane of 2 bits   2 vectors; vector v holds quads 4v .. 4v + 3, two bits each from the lowest
//   plane of 1 bit    1 vector; bit i holds quad i
//
// 2 and 4 bits are one plane, 3 is 2 + 1 (low bits first), 5 is 4 + 1, 6 is 4 + 2, 8 is eight
// vectors of bytes.
#pragma once

#include <vector>

#include "core/backend.h"
#include "cpu/kernels.h"

namespace exl::cpu {

struct PackedMatrix : Weight {
  std::vector<PackedGroup> groups;
  int64_t chunks = 0, spans = 0;
  int64_t tile_bytes = 0;
  BufferPtr codes;
  BufferPtr scales;    // half [tiles, groups, 16]
  BufferPtr zeros;     // uint8 [tiles, groups, 16]; null if every group has one zero point
  BufferPtr features;  // int32 [chunks * 32] input of each padded row, -1: none; null: identity

  int64_t tiles() const { return (shape[0] + kTile - 1) / kTile; }
};

// Plain matrices keep the type of the file.
struct FloatMatrix : Weight {
  Dtype dtype;
  BufferPtr data;
};

// Vectors (norms, biases, tables) are small and always fp32.
struct FloatVector : Weight {
  BufferPtr data;
};

// Elements [first, first + count) of an array of F32, F16 or BF16.
void widen(const void* from, Dtype dtype, int64_t first, int64_t count, float* to);

class ThreadPool;

// Reads the codes in strips of columns, so that staging stays below `kStagingBytes` whatever the
// matrix.
inline constexpr int64_t kStagingBytes = int64_t(32) << 20;
std::shared_ptr<PackedMatrix> pack(const AffineMatrix& matrix, const Allocator& allocate,
                                   const std::string& label, ThreadPool& pool);

// Packs the codes [32][16] of one chunk of one tile: exposed for tests.
void pack_chunk(int bits, const uint8_t (&codes)[kChunk][kTile], std::byte* target);

}  // namespace exl::cpu
