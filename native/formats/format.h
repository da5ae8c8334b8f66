// A weight format is declared once, as an op is: its pieces, its numbers, and what they mean.
#pragma once

#include <span>

#include "base/dims.h"
#include "formats/affine.h"
#include "formats/weight_source.h"

namespace exl {

struct Piece {
  const char* name;
  const char* types;  // `F32|F16|BF16`
  const char* dims;   // a pattern of base/dims.h, after the shape of the weight
  bool optional = false;
};

struct Format {
  const char* name;
  const char* formula;
  const char* shape;  // of the weight
  std::vector<Piece> pieces;
  std::vector<const char*> numbers = {};

  // What dims cannot say; returns an objection or nothing.
  std::string (*objects)(const WeightSource&) = nullptr;

  // Of those that are scales times small integers, see formats/affine.h; null: the values lie
  // there as they are, in the piece `data`.
  const Affine* affine = nullptr;
};

namespace formats {
extern const Format plain, exl2, gptq;
}

std::span<const Format* const> all_formats();

// Throws FormatUnsupported.
const Format& find_format(std::string_view name);

}  // namespace exl
