#include "base/float16.h"
#include "quant/decode.h"
#include "reference/reference.h"

namespace exl::reference {

namespace {

std::shared_ptr<Weight> load_float(const FloatSource& source, const Allocator& allocate,
                                   const std::string& label) {
  auto weight = std::make_shared<PlainWeight>();
  weight->shape = source.shape;
  weight->dtype = source.dtype;
  weight->data = source.data.to_buffer(allocate, Kind::Weights, dtype_size(source.dtype), label);
  return weight;
}

std::shared_ptr<Weight> load_quant(const QuantSource& source, const Allocator& allocate,
                                   const std::string& label) {
  auto weight = std::make_shared<QuantWeight>();
  weight->shape = {source.out, source.in};
  weight->groups = source.groups;
  const std::vector<CodePlace> places = code_places(source);
  int64_t p = 0;
  for (size_t g = 0; g < source.groups.size(); g++)
    for (int64_t row = 0; row < source.groups[g].rows; row++, p++) {
      const CodePlace& place = places[size_t(p)];
      const int64_t feature = source.permutation.empty() ? p : source.permutation[size_t(p)];
      weight->rows.push_back({place.qrow, place.shift, place.bits, int64_t(g), feature});
    }
  weight->words = source.words.to_buffer(allocate, Kind::Weights, sizeof(uint32_t), label);
  const GroupScales decoded = decode_scales(source, allocate, Kind::Weights, label);
  weight->scales = decoded.scale;
  weight->zeros = decoded.zero;
  return weight;
}

struct ReferenceBackend : Backend {
  const char* name() const override { return "reference"; }
  Dtype activation_type() const override { return Dtype::F64; }
  // An fp16 cache would hide errors of other backends behind its own rounding.
  Dtype cache_type() const override { return Dtype::F64; }
  Kernels kernels() const override {
    static const std::vector<Kernel> all =
        join({attention_kernels, elementwise_kernels, embed_kernels, linear_kernels, norm_kernels,
              rope_kernels, sample_kernels});
    return all;
  }
  std::shared_ptr<Weight> load(const WeightSource& source, const Allocator& allocate,
                               const std::string& label) override {
    if (const auto* plain = std::get_if<FloatSource>(&source))
      return load_float(*plain, allocate, label);
    return load_quant(std::get<QuantSource>(source), allocate, label);
  }
};

}  // namespace

double PlainWeight::at(int64_t index) const {
  switch (dtype) {
    case Dtype::F16:
      return half_to_float(data->as<uint16_t>()[index]);
    case Dtype::BF16:
      return bfloat_to_float(data->as<uint16_t>()[index]);
    case Dtype::F64:
      return data->as<double>()[index];
    default:
      return data->as<float>()[index];
  }
}

void QuantWeight::row(int64_t p, std::vector<double>& values) const {
  const PackedRow& place = rows[size_t(p)];
  const int64_t out = shape[0];
  std::vector<uint8_t> codes(size_t(out), 0);
  decode_row({place.qrow, place.shift, place.bits}, words->as<uint32_t>(), out, out, codes.data());
  values.resize(size_t(out));
  for (int64_t n = 0; n < out; n++) {
    const int64_t at = place.group * out + n;
    values[size_t(n)] =
        dequantise(codes[size_t(n)], zeros->as<uint8_t>()[at], scales->as<uint16_t>()[at]);
  }
}

std::unique_ptr<Backend> make_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace exl::reference
