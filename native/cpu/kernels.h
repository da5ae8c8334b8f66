// What a SIMD target provides: plain functions over plain structs, compiled once per target from
// kernels/*.inl. Nothing here may be a template or an inline function: two targets' copies would be
// merged by the linker.
#pragma once

#include <cstddef>
#include <cstdint>

namespace exl::cpu {

inline constexpr int kTile = 16;   // columns of a quantised tile: one per lane
inline constexpr int kChunk = 32;  // rows of a quantised chunk
inline constexpr int kSpan = 4;    // chunks that share an activation step, at most

// Rows of a quantised matrix with one scale per column. Chunks of a group are cut into spans of
// kSpan, the last one of what is left.
struct PackedGroup {
  int bits;
  int chunks;
  int zero;  // of every column, unless the matrix has a zero point for each
};

// Activations in 16 bits, x = step * word, where the words of a span share step = max|x| / 32512.
// Eight bits would cost as much where memory is the limit, and are 250 times less exact. Rows that
// are multiplied together lie together: see RowBlock in kernels/quant_linear.inl.
struct QuantRows {
  int64_t rows, chunks, spans;
  std::byte* words;  // 64 bytes per row and chunk, in the order the target reads them
  float* steps;      // per row and span
  int32_t* sums;     // of the words of a span
  int32_t* pairs;    // sums of products of words, see kernels/paired.inl
};

struct Quantise {
  const float* x;          // [rows, in]
  const int32_t* feature;  // [chunks * 32] input of each packed row, -1: none; null: identity
  int64_t in;
  const PackedGroup* groups;
  int64_t group_count;
  QuantRows to;
};

// A quantised matrix multiply over some tiles. The layout is described in pack.h.
struct QuantLinear {
  const std::byte* codes;
  int64_t tile_bytes;
  const PackedGroup* groups;
  int64_t group_count;
  const uint16_t* scales;  // half [tiles, groups, 16]
  const uint8_t* zeros;    // [tiles, groups, 16], or null
  QuantRows x;
  int64_t out;
  const float* bias;  // [out] or null
  float* y;           // [rows, out]
};

enum class FloatType { F32, F16, BF16 };

// y[r, n] = x[r, :] . weight[n, :] + bias[n]
struct FloatLinear {
  FloatType type;
  const void* weight;  // [out, in]
  const float* x;      // [rows, in]
  const float* bias;
  float* y;
  int64_t rows, in, out;
};

struct Norm {
  const float *x, *weight;
  float* y;
  int64_t columns, heads;  // row r is scaled by weight[r % heads]
  float eps, offset;
  const float* bias = nullptr;
  bool centred = false;  // the mean of a row is taken off first
};

struct Rope {
  const float *x, *angles;
  float* y;
  int64_t heads, dim, pairs;
  bool interleaved;
};

enum class CodeType { F16, E5M2, Int8, Int4 };

// Keys or values of a cache, laid out and quantised as core/cache.h says.
struct CacheCodes {
  CodeType type;
  int64_t group;           // elements that share a scale; 0: there are none
  const std::byte* codes;  // of all pages
  const uint16_t* scales;  // halves, or null
};

// Some rows of one sequence against one key head.
struct Attention {
  const float* q;  // [rows, heads, dim]
  float* y;
  CacheCodes keys, values;
  const int32_t *positions, *pages;
  int64_t heads, key_heads, dim, window;
  float scale, softcap;
};
inline constexpr int64_t kAttentionTile = 64;  // tokens

struct Target {
  const char* name;
  void (*quant_linear)(const QuantLinear&, int64_t first_tile, int64_t end_tile);
  void (*float_linear)(const FloatLinear&, int64_t first_column, int64_t end_column);
  void (*quantise)(const Quantise&, int64_t first_span, int64_t end_span);
  void (*norm)(const Norm&, int64_t first_row, int64_t end_row);
  void (*rope)(const Rope&, int64_t first_row, int64_t end_row);
  void (*add)(const float* a, const float* b, float* y, int64_t count);
  void (*silu_mul)(const float* gate, const float* up, float* y, int64_t count);
  // One key or value of `dim` elements, at most 256: its codes one after another, a scale per
  // group.
  void (*encode)(CodeType type, int64_t group, const float* x, int64_t dim, void* codes,
                 uint16_t* scales);
  // `scratch` holds, per query (row and head), the scores of a tile, and the mix and the rotated
  // query, both padded to whole vectors.
  void (*attention)(const Attention&, int64_t first_row, int64_t end_row, int64_t key_head,
                    float* scratch);
};

// The best target this processor runs; EXL_CPU_TARGET names another. Throws InvalidArgument.
const Target& best_target();

}  // namespace exl::cpu
