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
#include <span>
#include <string>

#include "cuda/quant_weight.h"

struct CUstream_st;
struct __half;

namespace exl::cuda {

using Stream = CUstream_st*;
using Half = __half;

enum class Type { F16, F32, BF16 };

// The address of a kernel: all are compiled for the same devices.
const void* any_kernel();

// v = x + add;  sum = v;  y = v / sqrt(mean(v^2) + eps) * (weight + offset) + bias, by rows; if
// `centred`, of v - mean(v) in the place of v.
struct NormParams {
  const void* x;               // [rows, columns] of `type`
  const Half* add = nullptr;   // [rows, columns]; null: nothing
  void* sum = nullptr;         // [rows, columns] of `type`, may be x; null: not wanted
  const Half* weight;          // [weight_rows, columns]; row r takes r % weight_rows
  const Half* bias = nullptr;  // likewise; null: none
  Half* y;                     // [rows, columns]
  int64_t rows;
  int columns;
  int weight_rows = 1;
  float eps, offset = 0;
  bool centred = false;
  Type type = Type::F16;
};
std::string norm_refuses(const NormParams& params);
void norm(Stream stream, const NormParams& params);

// y[r, :] = table[tokens[r], :]
struct EmbedParams {
  const int32_t* tokens;  // [rows], all below the vocabulary
  const Half* table;      // [vocabulary, columns]
  void* y;                // [rows, columns] of `type`
  int64_t rows;
  int columns;
  Type type = Type::F16;
};
std::string embed_refuses(const EmbedParams& params);
void embed(Stream stream, const EmbedParams& params);

// y = a + b
struct AddParams {
  const void* a;  // [count] of `type`
  const Half* b;
  void* y;  // [count] of `type`, may be a
  int64_t count;
  Type type = Type::F16;
};
std::string add_refuses(const AddParams& params);
void add(Stream stream, const AddParams& params);

// y[r, c] = silu(gate[r, c]) * up[r, c]
struct SiluMulParams {
  const Half* gate;  // [rows, columns], rows `stride` elements apart
  const Half* up;    // the same
  Half* y;           // [rows, columns]
  int64_t rows;
  int columns;
  int64_t stride;
};
std::string silu_mul_refuses(const SiluMulParams& params);
void silu_mul(Stream stream, const SiluMulParams& params);

// y[i, :] = x[outputs[i], :]
struct GatherRowsParams {
  const void* x;  // rows of `columns` elements of `type`
  const int32_t* outputs;
  void* y;
  int64_t count;
  int columns;
  Type type = Type::F16;
};
std::string gather_rows_refuses(const GatherRowsParams& params);
void gather_rows(Stream stream, const GatherRowsParams& params);

// Weights that come as floats or bfloats become halves when they are loaded.
struct ToHalfParams {
  const void* x;  // [count] of `type`
  Half* y;
  int64_t count;
  Type type;
};
std::string to_half_refuses(const ToHalfParams& params);
void to_half(Stream stream, const ToHalfParams& params);

// y[r, i] = (cos, sin)(positions[r] * frequencies[i]) * scale
struct RopeAnglesParams {
  const int32_t* positions;  // [rows]
  const float* frequencies;  // [pairs]
  float* y;                  // [rows, pairs, 2]
  int64_t rows;
  int pairs;
  float scale = 1;
};
std::string rope_angles_refuses(const RopeAnglesParams& params);
void rope_angles(Stream stream, const RopeAnglesParams& params);

// How keys or values are stored. Int8 and Int4 cut a head into groups of 32 elements, rotated by a
// Hadamard matrix in natural order, which spreads outliers: H x = scale * code, code from -127 to
// 127, or scale * (2 code - 15), code from 0 to 15 and two to a byte, the lower element low.
enum class CacheCode {
  F16,
  E5M2,  // the upper byte of a half, rounded to nearest; what is too large becomes 57344
  Int8,
  Int4,
};
inline constexpr int kCacheGroup = 32;

// One layer's pages of 256 tokens.
inline constexpr int kPageTokens = 256;
struct LayerPages {
  void* keys = nullptr;    // [pages, key_heads, 256, dim] of `key_code`
  void* values = nullptr;  // [pages, key_heads, 256, dim] of `value_code`
  int key_heads = 0;
  int dim = 0;
  CacheCode key_code = CacheCode::F16, value_code = CacheCode::F16;
  Half* key_scales = nullptr;    // Int8, Int4: [pages, key_heads, 256, dim / 32]
  Half* value_scales = nullptr;  // the same
};

// Where in the cache the rows of a step are.
struct StepRows {
  const int32_t* positions = nullptr;  // [rows] place of each row in its sequence
  const int32_t* sequences = nullptr;  // [rows] row of the page table
  const int32_t* pages = nullptr;      // [sequences, pages_per_sequence]
  int pages_per_sequence = 0;
};

// Rotates queries and keys by `angles`, and stores keys and values in the cache. Whatever is null
// is left out: queries, rotated keys outside the cache, values, the cache, the rotation.
struct RopeCacheWriteParams {
  const Half* q = nullptr;    // [rows, heads, dim], rows `q_stride` elements apart
  Half* q_rotated = nullptr;  // [rows, heads, dim]; may be q if q has no gaps
  const Half* k = nullptr;    // [rows, key_heads, dim], rows `k_stride` elements apart
  Half* k_rotated = nullptr;  // [rows, key_heads, dim]; may be k if k has no gaps
  const Half* v = nullptr;    // as k
  int64_t q_stride = 0, k_stride = 0;
  int64_t rows;
  int heads = 0, key_heads = 0, dim;
  const float* angles = nullptr;  // [rows, pairs, 2]
  int pairs = 0;
  bool interleaved = false;  // pairs are (2i, 2i + 1), not (i, i + pairs)
  LayerPages cache;
  StepRows step;
};
std::string rope_cache_write_refuses(const RopeCacheWriteParams& params);
void rope_cache_write(Stream stream, const RopeCacheWriteParams& params);

// Copies whole pages. No page may be both copied from and copied to.
struct CopyPagesParams {
  void* pages;          // [pages, page_bytes]: the keys or the values of one layer
  const int32_t* from;  // [count]
  const int32_t* to;    // [count]
  int count;
  int64_t page_bytes;
};
std::string copy_pages_refuses(const CopyPagesParams& params);
void copy_pages(Stream stream, const CopyPagesParams& params);

// y = softmax(softcap * tanh(scale * q . k / softcap)) . v over the tokens that each row sees:
// positions max(0, p - window + 1) .. p of its sequence.
struct AttentionParams {
  const Half* q;     // [rows, heads, dim], rows `q_stride` elements apart
  int64_t q_stride;  // a multiple of 8
  Half* y;           // [rows, heads, dim]
  int64_t rows;
  int heads;
  LayerPages cache;
  StepRows step;
  float scale;
  int window = 0;     // 0: unlimited
  float softcap = 0;  // 0: none
  // For attention_decode: pages that any row may see, and attention_scratch_bytes() of memory.
  int splits = 0;
  float* scratch = nullptr;
};
std::string attention_refuses(const AttentionParams& params);
int64_t attention_scratch_bytes(const AttentionParams& params);
// What a block of any of the launches asks for.
int64_t attention_shared_bytes(const AttentionParams& params);
// Many rows per sequence: neighbouring rows share what they read.
void attention_prefill(Stream stream, const AttentionParams& params);
// Few rows per sequence: the tokens of a sequence are split over blocks.
void attention_decode(Stream stream, const AttentionParams& params);

// What every linear layer reads and writes: y = x W + bias + add, one rounding at the end.
struct LinearRows {
  const Half* x;               // [rows, in]
  const Half* bias = nullptr;  // [out]; null: none
  const void* add = nullptr;   // [rows, out] of `type`, may be y; null: nothing
  void* y;                     // [rows, out] of `type`
  int64_t rows;
  Type type = Type::F16;
};

// Up to this many rows each weight is read once, and a row gives the same bits whatever their
// number; with more rows it gives the same bits whatever their number, but not the same as below.
inline constexpr int kFewRows = 16;

// Layers that a launcher is given together, kMostLayersAtOnce at most, have the same rows of the
// same inputs. Up to kFewRows rows they share a launch: those of few outputs would leave processors
// idle.
inline constexpr int kMostLayersAtOnce = 3;

struct HalfLinearParams {
  const Half* weight;  // [out, in]
  int in, out;
  LinearRows rows;
};
std::string half_linear_refuses(const HalfLinearParams& params);
int64_t half_linear_shared_bytes(const HalfLinearParams& params);  // the most, as of attention
void half_linear(Stream stream, std::span<const HalfLinearParams> layers);

struct QuantLinearParams {
  QuantWeight weight;
  LinearRows rows;
  // quant_linear_scratch_bytes() of memory, up to kFewRows rows no other layer's.
  Half* permuted = nullptr;
};
std::string quant_linear_refuses(const QuantLinearParams& params);
int64_t quant_linear_shared_bytes(const QuantLinearParams& params);  // the most, as of attention
int64_t quant_linear_scratch_bytes(const QuantLinearParams& params);
void quant_linear(Stream stream, std::span<const QuantLinearParams> layers);

// Lays codes out as quant_weight.h says.
struct RepackCodesParams {
  const uint32_t* words;   // [qrows, out], as they are on disk
  const int32_t* places;   // [in], of each packed row: 32 * its first row of words + its first bit
  const uint32_t* chunks;  // [chunks]
  uint32_t* codes;         // [strips, words_per_strip]
  int in, out;
  int64_t words_per_strip;
};
void repack_codes(Stream stream, const RepackCodesParams& params);

// Moves scales and zero points to where the strips have them.
struct RepackScalesParams {
  const Half* scales;              // [groups, out]
  const uint8_t* zeros = nullptr;  // [groups, out]; null: 2^(bits - 1)
  Half* to_scales;                 // [strips, groups, 32]
  uint8_t* to_zeros = nullptr;     // the same; null if `zeros` is
  int groups, out;
};
void repack_scales(Stream stream, const RepackScalesParams& params);

// Rows of logits, of which the first `vocabulary` count and the rest is padding. A NaN counts as
// larger than anything, so that it is not overlooked.
struct LogitRows {
  const float* logits;  // [rows, padded]
  int64_t rows;
  int padded, vocabulary;
};

// ids[r] = the id of the largest logit; the lowest of equals.
struct ArgMaxParams {
  LogitRows rows;
  int32_t* ids;  // [rows]
};
void arg_max(Stream stream, const ArgMaxParams& params);

// y[r] = log softmax(logits[r])[targets[r]]
struct TokenLogProbParams {
  LogitRows rows;
  const int32_t* targets;  // [rows]
  float* y;                // [rows]
};
void token_log_prob(Stream stream, const TokenLogProbParams& params);

// The k largest logits of each row, largest first, the lowest id first among equals.
inline constexpr int kMostTopK = 1024;
struct TopKParams {
  LogitRows rows;
  int k;                     // up to kMostTopK and the vocabulary
  float* values;             // [rows, k]
  int32_t* ids;              // [rows, k]
  float* log_sum = nullptr;  // [rows] log of the sum of exp of all logits; null: not wanted
};
std::string top_k_refuses(const TopKParams& params);
void top_k(Stream stream, const TopKParams& params);

}  // namespace exl::cuda
