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

// Where the codes of one packed row are, and what they multiply.
struct PackedRow {
  int64_t qrow;
  int shift, bits;
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

// Kernels, one file per op.
void embed(Backend&, const Call&, const Run&);
void rms_norm(Backend&, const Call&, const Run&);
void layer_norm(Backend&, const Call&, const Run&);
void linear(Backend&, const Call&, const Run&);
void rope_angles(Backend&, const Call&, const Run&);
void rope(Backend&, const Call&, const Run&);
void cache_write(Backend&, const Call&, const Run&);
void attention(Backend&, const Call&, const Run&);
void add(Backend&, const Call&, const Run&);
void silu_mul(Backend&, const Call&, const Run&);
void gather_rows(Backend&, const Call&, const Run&);
void sample(Backend&, const Call&, const Run&);
size_t sample_scratch(const Backend&, const Call&);
void token_log_prob(Backend&, const Call&, const Run&);

}  // namespace exl::reference
