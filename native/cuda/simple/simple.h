// One kernel per op that takes every call: one thread per result, the formula of the op written
// down, no tricks. They run what the fast kernels refuse, and on a GPU they are what those are
// compared with.
#pragma once

#include <cstdint>

#include "library/backend_api.h"

struct CUstream_st;

namespace exl::cuda::simple {

using Stream = CUstream_st*;

// Numbers in device memory; the type is looked at for each of them.
struct Array {
  void* data = nullptr;
  int32_t type = EXL_F32;  // EXL_F32, EXL_F16, EXL_BF16
};

struct Embed {
  const int32_t* tokens;  // [rows]
  Array table;            // [vocabulary, columns]
  Array y;                // [rows, columns]
  int64_t rows, columns;
};
void embed(Stream, const Embed&);

struct GatherRows {
  Array x;
  const int32_t* outputs;  // [rows]
  Array y;                 // [rows, columns]
  int64_t rows, columns;
};
void gather_rows(Stream, const GatherRows&);

struct Pairwise {
  Array a, b, y;  // [count]
  int64_t count;
};
void add(Stream, const Pairwise&);
void silu_mul(Stream, const Pairwise&);

struct Norm {
  Array x, weight, y;  // [rows, columns], [weight_rows, columns]: row r takes r % weight_rows
  int64_t rows, columns, weight_rows;
  float eps, offset;
  bool centred;  // the mean of a row is taken off first
  Array bias;    // [columns], if there is one
};
void norm(Stream, const Norm&);

struct RopeAngles {
  const int32_t* positions;  // [rows]
  Array frequencies;         // [pairs]
  Array y;                   // [rows, pairs, 2]
  int64_t rows, pairs;
  double scale;
};
void rope_angles(Stream, const RopeAngles&);

struct Rope {
  Array x, angles, y;  // [rows, heads, dim], [rows, pairs, 2]
  int64_t rows, heads, dim, pairs;
  int32_t interleaved;
};
void rope(Stream, const Rope&);

struct FloatLinear {
  Array x, weight, bias, y;  // [rows, in], [out, in], [out] or null, [rows, out]
  int64_t rows, in, out;
};
void float_linear(Stream, const FloatLinear&);

// Where the code of one packed row is, and what it multiplies.
struct PackedRow {
  int32_t word, shift, bits, group, feature;
};

// As library/backend_api.h has it.
struct QuantMatrix {
  const uint32_t* codes = nullptr;    // [words, out]
  Array scales = {};                  // [groups, out]
  const uint8_t* zeros = nullptr;     // [groups, out]; null: 2^(bits - 1)
  const PackedRow* packed = nullptr;  // [in]
};

struct QuantLinear {
  Array x, bias, y;
  QuantMatrix matrix;
  int64_t rows, in, out;
};
void quant_linear(Stream, const QuantLinear&);

// Of one layer.
struct Pages {
  Array keys, values;  // [pages, key_heads, 256, dim]
  int64_t key_heads, dim;
  const int32_t *positions, *sequences;  // [rows]
  const int32_t* pages;                  // [sequences, per_sequence]
  int64_t per_sequence;
};

struct CacheWrite {
  Array k, v;  // [rows, key_heads, dim]
  Pages cache;
  int64_t rows;
};
void cache_write(Stream, const CacheWrite&);

inline constexpr int64_t kMostHeadSize = 256;

struct Attention {
  Array q, y;  // [rows, heads, dim]
  Pages cache;
  int64_t rows, heads, window;
  float scale, softcap;
};
void attention(Stream, const Attention&);

}  // namespace exl::cuda::simple
