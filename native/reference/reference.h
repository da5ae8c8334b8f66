// The oracle: one obvious double-precision loop per op. Optimising it is forbidden.
#pragma once

#include <memory>

#include "core/backend.h"

namespace exl::reference {

// The bytes of the file, decoded element by element when they are used.
struct PlainWeight : Weight {
  Dtype dtype;
  BufferPtr data;
  double at(int64_t index) const;
};

struct PackedRow {
  CodePlace code;
  int64_t group;
  int64_t feature;  // the input it multiplies
};

// Codes as stored, with the scales and zero points of every group and column.
struct QuantWeight : Weight {
  std::vector<QuantGroup> groups;
  std::vector<PackedRow> rows;
  BufferPtr words, scales, zeros;

  // The dequantised row `p`, one value per output, with the rounding of the format.
  void row(int64_t p, std::vector<double>& values) const;
};

std::unique_ptr<Backend> make_backend();

// Of each file.
extern const Kernels attention_kernels, elementwise_kernels, embed_kernels, linear_kernels,
    norm_kernels, rope_kernels, sample_kernels;

}  // namespace exl::reference
