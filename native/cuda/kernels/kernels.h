// Every kernel launcher, as plain functions of addresses and sizes: what may be called without
// knowing CUDA. All addresses are device memory unless said otherwise.
//
// A launcher only starts work on `stream`; it allocates nothing and waits for nothing. Each has an
// objection function beside it that says in a sentence why it cannot take these parameters, or
// nothing. Launchers do not check again.
//
// Activations are halves. The residual stream is halves or floats, as its model needs.
#pragma once

#include <cstdint>
#include <string>

struct CUstream_st;
struct __half;

namespace exl::cuda {

using Stream = CUstream_st*;
using Half = __half;

enum class Type { F16, F32 };

// v = x + add;  sum = v;  y = v / sqrt(mean(v^2) + eps) * (weight + offset), by rows.
struct RmsNormParams {
  const void* x;              // [rows, columns] of `type`
  const Half* add = nullptr;  // [rows, columns]; null: nothing
  void* sum = nullptr;        // [rows, columns] of `type`, may be x; null: not wanted
  const Half* weight;         // [weight_rows, columns]; row r takes r % weight_rows
  Half* y;                    // [rows, columns]
  int64_t rows;
  int columns;
  int weight_rows = 1;
  float eps, offset = 0;
  Type type = Type::F16;
};
std::string rms_norm_refuses(const RmsNormParams& params);
void rms_norm(Stream stream, const RmsNormParams& params);

}  // namespace exl::cuda
