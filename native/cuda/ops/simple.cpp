#include "cuda/simple/simple.h"

#include "cuda/ops/ops.h"

namespace exl::cuda {

namespace {

simple::Array array(const ExlTensor& tensor) { return {tensor.data, tensor.dtype}; }

simple::Array array(const ExlWeight* weight) {
  return weight ? simple::Array{weight->data, weight->dtype} : simple::Array{nullptr, EXL_F32};
}

simple::Array frequencies(const ExlWeight* weight) {
  if (weight->floats) return {const_cast<float*>(weight->floats), EXL_F32};
  return array(weight);
}

std::string plain_refuses(const ExlWeight* weight) {
  return weight && weight->quantised ? "the weight is quantised" : "";
}

simple::Pages pages(const ExlCall& call, const ExlLayerCache& cache, int positions) {
  const ExlTensor& table = in(call, positions + 2);
  return {{cache.keys.codes, EXL_F16},
          {cache.values.codes, EXL_F16},
          cache.key_heads,
          cache.dim,
          as<int32_t>(in(call, positions)),
          as<int32_t>(in(call, positions + 1)),
          as<int32_t>(table),
          table.dims[1]};
}

std::string cache_refuses(const ExlLayerCache& cache) {
  if (cache.keys.scales || cache.values.scales || cache.keys.code || cache.values.code)
    return "the cache is quantised";
  return {};
}

simple::Pairwise pairwise(const ExlCall& call) {
  return {array(in(call, 0)), array(in(call, 1)), array(out(call)), count(out(call))};
}

}  // namespace

std::string simple_embed_refuses(const ExlCall& call) { return plain_refuses(weight(call, 1)); }
void simple_embed(Stream stream, const ExlCall& call) {
  const ExlTensor& y = out(call);
  simple::embed(stream,
                {as<int32_t>(in(call, 0)), array(weight(call, 1)), array(y), rows(y), columns(y)});
}

void simple_gather_rows(Stream stream, const ExlCall& call) {
  const ExlTensor& y = out(call);
  simple::gather_rows(
      stream, {array(in(call, 0)), as<int32_t>(in(call, 1)), array(y), rows(y), columns(y)});
}

void simple_add(Stream stream, const ExlCall& call) { simple::add(stream, pairwise(call)); }
void simple_silu_mul(Stream stream, const ExlCall& call) {
  simple::silu_mul(stream, pairwise(call));
}

std::string simple_rms_norm_refuses(const ExlCall& call) { return plain_refuses(weight(call, 1)); }
void simple_rms_norm(Stream stream, const ExlCall& call) {
  const ExlTensor& x = in(call, 0);
  const ExlWeight& w = *weight(call, 1);
  simple::norm(stream, {.x = array(x),
                        .weight = array(&w),
                        .y = array(out(call)),
                        .rows = rows(x),
                        .columns = columns(x),
                        .weight_rows = w.rank == 2 ? w.dims[0] : 1,
                        .eps = float(attribute(call, "eps")),
                        .offset = float(attribute(call, "offset")),
                        .centred = false,
                        .bias = {}});
}

std::string simple_layer_norm_refuses(const ExlCall& call) {
  const std::string objection = plain_refuses(weight(call, 1));
  return objection.empty() && weight(call, 2) ? plain_refuses(weight(call, 2)) : objection;
}
void simple_layer_norm(Stream stream, const ExlCall& call) {
  const ExlTensor& x = in(call, 0);
  simple::norm(stream, {.x = array(x),
                        .weight = array(weight(call, 1)),
                        .y = array(out(call)),
                        .rows = rows(x),
                        .columns = columns(x),
                        .weight_rows = 1,
                        .eps = float(attribute(call, "eps")),
                        .offset = 0,
                        .centred = true,
                        .bias = weight(call, 2) ? array(weight(call, 2)) : simple::Array{}});
}

std::string simple_rope_angles_refuses(const ExlCall& call) {
  return plain_refuses(weight(call, 1));
}
void simple_rope_angles(Stream stream, const ExlCall& call) {
  const ExlTensor& y = out(call);
  simple::rope_angles(stream, {as<int32_t>(in(call, 0)), frequencies(weight(call, 1)), array(y),
                               y.dims[0], y.dims[1], attribute(call, "scale")});
}

void simple_rope(Stream stream, const ExlCall& call) {
  const ExlTensor &x = in(call, 0), &angles = in(call, 1);
  simple::rope(stream, {array(x), array(angles), array(out(call)), x.dims[0], x.dims[1], x.dims[2],
                        angles.dims[1], attribute(call, "interleaved") != 0});
}

std::string simple_float_linear_refuses(const ExlCall& call) {
  return plain_refuses(weight(call, 1));
}
void simple_float_linear(Stream stream, const ExlCall& call) {
  const ExlTensor &x = in(call, 0), &y = out(call);
  simple::float_linear(stream, {array(x), array(weight(call, 1)), array(weight(call, 2)), array(y),
                                rows(x), columns(x), columns(y)});
}

std::string simple_quant_linear_refuses(const ExlCall& call) {
  return weight(call, 1)->matrix.codes ? "" : "the weight is repacked";
}
void simple_quant_linear(Stream stream, const ExlCall& call) {
  const ExlTensor &x = in(call, 0), &y = out(call);
  simple::quant_linear(stream, {array(x), array(weight(call, 2)), array(y), weight(call, 1)->matrix,
                                rows(x), columns(x), columns(y)});
}

std::string simple_cache_write_refuses(const ExlCall& call) {
  return cache_refuses(*call.inputs[2].cache);
}
void simple_cache_write(Stream stream, const ExlCall& call) {
  simple::cache_write(stream, {array(in(call, 0)), array(in(call, 1)),
                               pages(call, *call.inputs[2].cache, 3), in(call, 0).dims[0]});
}

std::string simple_attention_refuses(const ExlCall& call) {
  const ExlLayerCache& cache = *call.inputs[1].cache;
  if (cache.dim > simple::kMostHeadSize)
    return "heads of " + std::to_string(cache.dim) + " elements, more than " +
           std::to_string(simple::kMostHeadSize);
  return cache_refuses(cache);
}
void simple_attention(Stream stream, const ExlCall& call) {
  const ExlTensor& q = in(call, 0);
  simple::attention(stream, {array(q), array(out(call)), pages(call, *call.inputs[1].cache, 2),
                             q.dims[0], q.dims[1], int64_t(attribute(call, "window")),
                             float(attribute(call, "scale")), float(attribute(call, "softcap"))});
}

}  // namespace exl::cuda
