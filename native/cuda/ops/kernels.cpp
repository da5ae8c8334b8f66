// From calls to the launchers of kernels/kernels.h.
#include "cuda/kernels/kernels.h"

#include <algorithm>
#include <vector>

#include "cuda/ops/ops.h"

namespace exl::cuda {

namespace {

// The rows of a step whose attention is split over pages: those of steps that are replayed.
constexpr int64_t kMostDecodeRows = 32;

Type type_of(const ExlTensor& tensor) { return tensor.dtype == EXL_F32 ? Type::F32 : Type::F16; }

const Half* halves(const ExlTensor& tensor) { return as<Half>(tensor); }
const Half* halves(const ExlWeight* weight) {
  return weight ? static_cast<const Half*>(weight->data) : nullptr;
}

std::string not_plain_halves(const ExlWeight* weight) {
  if (!weight) return {};
  if (weight->quantised) return "the weight is quantised";
  return weight->dtype == EXL_F16 ? "" : "the weight is not in halves";
}

std::string either(std::string first, std::string second) {
  return first.empty() ? std::move(second) : std::move(first);
}

EmbedParams embed_params(const ExlCall& call) {
  const ExlTensor& y = out(call);
  return {.tokens = as<int32_t>(in(call, 0)),
          .table = halves(weight(call, 1)),
          .y = y.data,
          .rows = rows(y),
          .columns = int(columns(y)),
          .type = type_of(y)};
}

NormParams rms_norm_params(const ExlCall& call) {
  const ExlTensor& x = in(call, 0);
  const ExlWeight& w = *weight(call, 1);
  return {.x = x.data,
          .weight = halves(&w),
          .y = static_cast<Half*>(out(call).data),
          .rows = rows(x),
          .columns = int(columns(x)),
          .weight_rows = w.rank == 2 ? int(w.dims[0]) : 1,
          .eps = float(attribute(call, "eps")),
          .offset = float(attribute(call, "offset")),
          .type = type_of(x)};
}

NormParams layer_norm_params(const ExlCall& call) {
  const ExlTensor& x = in(call, 0);
  return {.x = x.data,
          .weight = halves(weight(call, 1)),
          .bias = halves(weight(call, 2)),
          .y = static_cast<Half*>(out(call).data),
          .rows = rows(x),
          .columns = int(columns(x)),
          .eps = float(attribute(call, "eps")),
          .centred = true,
          .type = type_of(x)};
}

AddParams add_params(const ExlCall& call) {
  return {.a = in(call, 0).data,
          .b = halves(in(call, 1)),
          .y = out(call).data,
          .count = count(out(call)),
          .type = type_of(in(call, 0))};
}

SiluMulParams silu_mul_params(const ExlCall& call) {
  const ExlTensor& y = out(call);
  return {.gate = halves(in(call, 0)),
          .up = halves(in(call, 1)),
          .y = static_cast<Half*>(y.data),
          .rows = rows(y),
          .columns = int(columns(y)),
          .stride = columns(y)};
}

GatherRowsParams gather_rows_params(const ExlCall& call) {
  const ExlTensor& y = out(call);
  return {.x = in(call, 0).data,
          .outputs = as<int32_t>(in(call, 1)),
          .y = y.data,
          .count = rows(y),
          .columns = int(columns(y)),
          .type = type_of(y)};
}

RopeAnglesParams rope_angles_params(const ExlCall& call) {
  const ExlTensor& y = out(call);
  return {.positions = as<int32_t>(in(call, 0)),
          .frequencies = weight(call, 1)->floats,
          .y = static_cast<float*>(y.data),
          .rows = y.dims[0],
          .pairs = int(y.dims[1]),
          .scale = float(attribute(call, "scale"))};
}

RopeCacheWriteParams rope_params(const ExlCall& call) {
  const ExlTensor &x = in(call, 0), &angles = in(call, 1);
  return {.q = halves(x),
          .q_rotated = static_cast<Half*>(out(call).data),
          .q_stride = x.dims[1] * x.dims[2],
          .rows = x.dims[0],
          .heads = int(x.dims[1]),
          .dim = int(x.dims[2]),
          .angles = as<float>(angles),
          .pairs = int(angles.dims[1]),
          .interleaved = attribute(call, "interleaved") != 0,
          .cache = {},
          .step = {}};
}

// In the order of the EXL_CACHE_ constants.
constexpr CacheCode kCacheCodes[] = {CacheCode::F16, CacheCode::E5M2, CacheCode::Int8,
                                     CacheCode::Int4};

LayerPages layer_pages(const ExlLayerCache& cache) {
  return {.keys = cache.keys.codes,
          .values = cache.values.codes,
          .key_heads = int(cache.key_heads),
          .dim = int(cache.dim),
          .key_code = kCacheCodes[cache.keys.code],
          .value_code = kCacheCodes[cache.values.code],
          .key_scales = static_cast<Half*>(cache.keys.scales),
          .value_scales = static_cast<Half*>(cache.values.scales)};
}

StepRows step_rows(const ExlCall& call, int positions) {
  const ExlTensor& pages = in(call, positions + 2);
  return {.positions = as<int32_t>(in(call, positions)),
          .sequences = as<int32_t>(in(call, positions + 1)),
          .pages = as<int32_t>(pages),
          .pages_per_sequence = int(pages.dims[1])};
}

std::string cache_refuses(const ExlLayerCache& cache) {
  for (const ExlCacheSide* side : {&cache.keys, &cache.values})
    if (side->scales && side->group != kCacheGroup)
      return "groups of " + std::to_string(side->group) + " elements that share a scale, not " +
             std::to_string(kCacheGroup);
  return {};
}

RopeCacheWriteParams cache_write_params(const ExlCall& call) {
  const ExlTensor &k = in(call, 0), &v = in(call, 1);
  return {.k = halves(k),
          .v = halves(v),
          .k_stride = k.dims[1] * k.dims[2],
          .rows = k.dims[0],
          .key_heads = int(k.dims[1]),
          .dim = int(k.dims[2]),
          .cache = layer_pages(*call.inputs[2].cache),
          .step = step_rows(call, 3)};
}

AttentionParams attention_params(const ExlCall& call) {
  const ExlTensor& q = in(call, 0);
  const StepRows step = step_rows(call, 2);
  return {.q = halves(q),
          .q_stride = q.dims[1] * q.dims[2],
          .y = static_cast<Half*>(out(call).data),
          .rows = q.dims[0],
          .heads = int(q.dims[1]),
          .cache = layer_pages(*call.inputs[1].cache),
          .step = step,
          .scale = float(attribute(call, "scale")),
          .window = int(attribute(call, "window")),
          .softcap = float(attribute(call, "softcap")),
          .splits = step.pages_per_sequence,
          .scratch = static_cast<float*>(call.scratch)};
}

LinearRows linear_rows(const ExlCall& call) {
  const ExlTensor &x = in(call, 0), &y = out(call);
  return {.x = halves(x),
          .bias = halves(weight(call, 2)),
          .y = y.data,
          .rows = rows(x),
          .type = type_of(y)};
}

HalfLinearParams half_linear_params(const ExlCall& call) {
  return {.weight = halves(weight(call, 1)),
          .in = int(columns(in(call, 0))),
          .out = int(columns(out(call))),
          .rows = linear_rows(call)};
}

QuantLinearParams quant_linear_params(const ExlCall& call) {
  return {.weight = weight(call, 1)->repacked,
          .rows = linear_rows(call),
          .permuted = static_cast<Half*>(call.scratch)};
}

// But for what is special to either norm.
NormParams add_norm_params(const ExlCall& call) {
  const ExlTensor& sum = out(call, 0);
  return {.x = in(call, 0).data,
          .add = halves(in(call, 1)),
          .sum = sum.data,
          .weight = halves(weight(call, 2)),
          .y = static_cast<Half*>(out(call, 1).data),
          .rows = rows(sum),
          .columns = int(columns(sum)),
          .eps = float(attribute(call, "eps")),
          .type = type_of(sum)};
}

NormParams add_rms_norm_params(const ExlCall& call) {
  NormParams params = add_norm_params(call);
  params.offset = float(attribute(call, "offset"));
  return params;
}

NormParams add_layer_norm_params(const ExlCall& call) {
  NormParams params = add_norm_params(call);
  params.bias = halves(weight(call, 3));
  params.centred = true;
  return params;
}

RopeCacheWriteParams rope_cache_write_params(const ExlCall& call) {
  const ExlTensor &q = in(call, 0), &k = in(call, 1), &v = in(call, 2), &angles = in(call, 3);
  return {.q = halves(q),
          .q_rotated = static_cast<Half*>(out(call).data),
          .k = halves(k),
          .v = halves(v),
          .q_stride = q.dims[1] * q.dims[2],
          .k_stride = k.dims[1] * k.dims[2],
          .rows = q.dims[0],
          .heads = int(q.dims[1]),
          .key_heads = int(k.dims[1]),
          .dim = int(q.dims[2]),
          .angles = as<float>(angles),
          .pairs = int(angles.dims[1]),
          .interleaved = attribute(call, "interleaved") != 0,
          .cache = layer_pages(*call.inputs[4].cache),
          .step = step_rows(call, 5)};
}

std::string not_float_logits(const ExlCall& call) {
  return in(call, 0).dtype == EXL_F32 ? "" : "the logits are not floats";
}

LogitRows logit_rows(const ExlCall& call) {
  const ExlTensor& logits = in(call, 0);
  const int padded = int(columns(logits));
  return {.logits = as<float>(logits),
          .rows = rows(logits),
          .padded = padded,
          .vocabulary = std::min(padded, int(attribute(call, "vocabulary")))};
}

TopKParams top_k_params(const ExlCall& call) {
  return {.rows = logit_rows(call),
          .k = int(columns(out(call))),
          .values = static_cast<float*>(out(call, 0).data),
          .ids = static_cast<int32_t*>(out(call, 1).data)};
}

// As many at once as a launcher takes.
std::vector<Calls> slices(Calls calls) {
  std::vector<Calls> list;
  for (size_t i = 0; i < calls.size(); i += kMostLayersAtOnce)
    list.push_back(calls.subspan(i, std::min(calls.size() - i, size_t(kMostLayersAtOnce))));
  return list;
}

}  // namespace

std::string fast_embed_refuses(const ExlCall& call) {
  return either(not_plain_halves(weight(call, 1)), embed_refuses(embed_params(call)));
}
void fast_embed(Stream stream, const ExlCall& call) { embed(stream, embed_params(call)); }

std::string fast_rms_norm_refuses(const ExlCall& call) {
  return either(not_plain_halves(weight(call, 1)), norm_refuses(rms_norm_params(call)));
}
void fast_rms_norm(Stream stream, const ExlCall& call) { norm(stream, rms_norm_params(call)); }

std::string fast_layer_norm_refuses(const ExlCall& call) {
  const std::string weights =
      either(not_plain_halves(weight(call, 1)), not_plain_halves(weight(call, 2)));
  return either(weights, norm_refuses(layer_norm_params(call)));
}
void fast_layer_norm(Stream stream, const ExlCall& call) { norm(stream, layer_norm_params(call)); }

std::string fast_add_refuses(const ExlCall& call) { return add_refuses(add_params(call)); }
void fast_add(Stream stream, const ExlCall& call) { add(stream, add_params(call)); }

std::string fast_silu_mul_refuses(const ExlCall& call) {
  return silu_mul_refuses(silu_mul_params(call));
}
void fast_silu_mul(Stream stream, const ExlCall& call) { silu_mul(stream, silu_mul_params(call)); }

std::string fast_gather_rows_refuses(const ExlCall& call) {
  return gather_rows_refuses(gather_rows_params(call));
}
void fast_gather_rows(Stream stream, const ExlCall& call) {
  gather_rows(stream, gather_rows_params(call));
}

std::string fast_rope_angles_refuses(const ExlCall& call) {
  if (!weight(call, 1)->floats) return "the frequencies are not floats";
  if (out(call).dtype != EXL_F32) return "the angles are not floats";
  return rope_angles_refuses(rope_angles_params(call));
}
void fast_rope_angles(Stream stream, const ExlCall& call) {
  rope_angles(stream, rope_angles_params(call));
}

std::string fast_rope_refuses(const ExlCall& call) {
  if (in(call, 1).dtype != EXL_F32) return "the angles are not floats";
  return rope_cache_write_refuses(rope_params(call));
}
void fast_rope(Stream stream, const ExlCall& call) { rope_cache_write(stream, rope_params(call)); }

std::string fast_cache_write_refuses(const ExlCall& call) {
  return either(cache_refuses(*call.inputs[2].cache),
                rope_cache_write_refuses(cache_write_params(call)));
}
void fast_cache_write(Stream stream, const ExlCall& call) {
  rope_cache_write(stream, cache_write_params(call));
}

std::string fast_attention_refuses(const ExlCall& call) {
  return either(cache_refuses(*call.inputs[1].cache), attention_refuses(attention_params(call)));
}
uint64_t fast_attention_scratch(const ExlCall& call) {
  AttentionParams params = attention_params(call);
  params.rows = std::min(params.rows, kMostDecodeRows);
  return uint64_t(attention_scratch_bytes(params));
}
int64_t fast_attention_shared_bytes(const ExlCall& call) {
  return attention_shared_bytes(attention_params(call));
}
void fast_attention(Stream stream, const ExlCall& call) {
  const AttentionParams params = attention_params(call);
  params.rows <= kMostDecodeRows ? attention_decode(stream, params)
                                 : attention_prefill(stream, params);
}

std::string fast_half_linear_refuses(const ExlCall& call) {
  return either(
      not_plain_halves(weight(call, 1)),
      either(not_plain_halves(weight(call, 2)), half_linear_refuses(half_linear_params(call))));
}
int64_t fast_half_linear_shared_bytes(const ExlCall& call) {
  return half_linear_shared_bytes(half_linear_params(call));
}
void fast_half_linear(Stream stream, Calls calls) {
  for (const Calls some : slices(calls)) {
    std::vector<HalfLinearParams> layers;
    for (const ExlCall* call : some) layers.push_back(half_linear_params(*call));
    half_linear(stream, layers);
  }
}

std::string fast_quant_linear_refuses(const ExlCall& call) {
  if (!weight(call, 1)->repacked.codes) return "the weight was not repacked";
  return either(not_plain_halves(weight(call, 2)), quant_linear_refuses(quant_linear_params(call)));
}
// Of the largest step, or of all layers that run at once with few rows.
uint64_t fast_quant_linear_scratch(const ExlCall& call) {
  QuantLinearParams params = quant_linear_params(call);
  const int64_t many = quant_linear_scratch_bytes(params);
  params.rows.rows = std::min<int64_t>(params.rows.rows, kFewRows);
  return uint64_t(std::max(many, kMostLayersAtOnce * quant_linear_scratch_bytes(params)));
}
int64_t fast_quant_linear_shared_bytes(const ExlCall& call) {
  return quant_linear_shared_bytes(quant_linear_params(call));
}
void fast_quant_linear(Stream stream, Calls calls) {
  for (const Calls some : slices(calls)) {
    std::vector<QuantLinearParams> layers;
    auto* scratch = static_cast<unsigned char*>(some[0]->scratch);
    for (const ExlCall* call : some) {
      layers.push_back(quant_linear_params(*call));
      layers.back().permuted = reinterpret_cast<Half*>(scratch);
      if (layers.back().rows.rows <= kFewRows) scratch += quant_linear_scratch_bytes(layers.back());
    }
    quant_linear(stream, layers);
  }
}

std::string fast_token_log_prob_refuses(const ExlCall& call) {
  if (out(call).dtype != EXL_F32) return "the result is not of floats";
  return not_float_logits(call);
}
void fast_token_log_prob(Stream stream, const ExlCall& call) {
  token_log_prob(stream, {.rows = logit_rows(call),
                          .targets = as<int32_t>(in(call, 1)),
                          .y = static_cast<float*>(out(call).data)});
}

std::string fast_add_rms_norm_refuses(const ExlCall& call) {
  return either(not_plain_halves(weight(call, 2)), norm_refuses(add_rms_norm_params(call)));
}
void fast_add_rms_norm(Stream stream, const ExlCall& call) {
  norm(stream, add_rms_norm_params(call));
}

std::string fast_add_layer_norm_refuses(const ExlCall& call) {
  const std::string weights =
      either(not_plain_halves(weight(call, 2)), not_plain_halves(weight(call, 3)));
  return either(weights, norm_refuses(add_layer_norm_params(call)));
}
void fast_add_layer_norm(Stream stream, const ExlCall& call) {
  norm(stream, add_layer_norm_params(call));
}

std::string fast_rope_cache_write_refuses(const ExlCall& call) {
  if (in(call, 3).dtype != EXL_F32) return "the angles are not floats";
  return either(cache_refuses(*call.inputs[4].cache),
                rope_cache_write_refuses(rope_cache_write_params(call)));
}
void fast_rope_cache_write(Stream stream, const ExlCall& call) {
  rope_cache_write(stream, rope_cache_write_params(call));
}

std::string fast_top_k_refuses(const ExlCall& call) {
  const TopKParams params = top_k_params(call);
  if (params.rows.vocabulary < 2 * params.k)
    return "there are not many more than " + std::to_string(params.k) + " logits";
  return either(not_float_logits(call), top_k_refuses(params));
}
void fast_top_k(Stream stream, const ExlCall& call) { top_k(stream, top_k_params(call)); }

}  // namespace exl::cuda
