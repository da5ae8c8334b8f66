// Matrices whose weights are small integers times scales. Every backend lays them out from the same
// description, so a format of this kind brings no kernels.
//
//   W[p, n] = half((code[p, n] - zero[g(p), n]) * scale[g(p), n])   multiplies   x[feature[p]]
//
// Rows are taken in *packed order*, group after group.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/weight_source.h"

namespace exl {

struct QuantGroup {
  int bits;
  int64_t rows;
};

// Where the code of a packed row lies: row of words and bit, the same for every column.
struct CodePlace {
  int64_t word;
  int shift;
  int bits;
};

struct AffineRows {
  std::vector<QuantGroup> groups;
  std::vector<CodePlace> places;  // of each packed row
  std::vector<int32_t> features;  // the input each packed row multiplies; empty: p
};

struct AffineMatrix;

// How a format is one.
struct Affine {
  bool has_zeros;  // a zero point per column; else those of a group are 2^(bits - 1)
  AffineRows (*rows)(const WeightSource&);
  // Scales as bits of halves and zero points, both [groups, out].
  void (*scales)(const WeightSource&, const AffineMatrix&, const Allocator&, uint16_t* scale,
                 uint8_t* zero);
};

struct GroupScales {
  BufferPtr scale, zero;
};

// A weight of such a format, as backends read it. It refers to the source.
struct AffineMatrix : AffineRows {
  explicit AffineMatrix(const WeightSource& source);

  GroupScales scales(const Allocator& allocate, Kind kind, const std::string& label) const;

  const WeightSource& source;
  int64_t in, out;
  int64_t words;            // rows of them
  const ByteSource& codes;  // uint32 [words, out]
  bool has_zeros;
};

// The codes of one packed row in `count` columns. `words` is a strip whose rows are `stride` words
// apart.
void decode_row(const CodePlace& place, const uint32_t* words, int64_t stride, int64_t count,
                uint8_t* codes);

// The value every backend approximates.
float dequantise(int code, int zero, uint16_t scale);

// Element i of [groups, out] that are 4 bits each: that of column 8 c + i is in bits [4 i, 4 i + 4)
// of word c.
inline int nibble(const uint32_t* words, int64_t i) {
  return int(words[i / 8] >> (i % 8 * 4) & 15);
}

// Codes as a stream of bits down each column, low bits first: the pieces `codes [words, out]` and
// `groups` of pairs (bits, rows). Each group starts on a word boundary, or continues 4-bit rows.
AffineRows bit_streams(const WeightSource& source);
// What is wrong with them, or nothing.
std::string bit_streams_object(const WeightSource& source);
std::string no_permutation(const std::vector<int32_t>& order, const char* what);

}  // namespace exl
