// Decoding quantised matrices as they are stored on disk. Every backend lays weights out from these
// codes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "quant/source.h"

namespace exl {

// Where the code of a packed row lies: `words` row and bit, the same for every column.
struct CodePlace {
  int64_t qrow;
  int shift;
  int bits;
};

// One place per packed row.
std::vector<CodePlace> code_places(const QuantSource& source);

// The codes of one packed row in `count` columns. `words` is a strip whose rows are `stride` words
// apart.
void decode_row(const CodePlace& place, const uint32_t* words, int64_t stride, int64_t count,
                uint8_t* codes);

// Scales as bits of halves and zero points, both [groups, out], exactly as EXL2 and GPTQ define
// them.
struct GroupScales {
  BufferPtr scale, zero;
};
GroupScales decode_scales(const QuantSource& source, const Allocator& allocate, Kind kind,
                          const std::string& label);

// The value every backend approximates: fp16((code - zero) * scale).
float dequantise(int code, int zero, uint16_t scale);

}  // namespace exl
