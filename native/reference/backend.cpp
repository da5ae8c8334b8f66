#include "base/float16.h"
#include "reference/reference.h"

namespace exl::reference {

namespace {

std::string plain_refuses(const WeightSource& source) {
  return source.format == &formats::plain ? "" : "it is quantised";
}

std::shared_ptr<Weight> load_plain(Backend&, const WeightSource& source, const Allocator& allocate,
                                   const std::string& label) {
  const auto& [dtype, shape, bytes] = source.piece("data");
  auto weight = std::make_shared<PlainWeight>();
  weight->shape = shape;
  weight->dtype = dtype;
  weight->data = bytes.to_buffer(allocate, Kind::Weights, dtype_size(dtype), label);
  return weight;
}

std::string affine_refuses(const WeightSource& source) {
  return source.format->affine ? "" : "it is not affine";
}

std::shared_ptr<Weight> load_affine(Backend&, const WeightSource& source, const Allocator& allocate,
                                    const std::string& label) {
  const AffineMatrix matrix(source);
  auto weight = std::make_shared<QuantWeight>();
  weight->shape = source.shape;
  weight->groups = matrix.groups;
  int64_t p = 0;
  for (size_t g = 0; g < matrix.groups.size(); g++)
    for (int64_t row = 0; row < matrix.groups[g].rows; row++, p++) {
      const CodePlace& place = matrix.places[size_t(p)];
      const int64_t feature = matrix.features.empty() ? p : matrix.features[size_t(p)];
      weight->rows.push_back({place, int64_t(g), feature});
    }
  weight->words = matrix.codes.to_buffer(allocate, Kind::Weights, sizeof(uint32_t), label);
  const GroupScales decoded = matrix.scales(allocate, Kind::Weights, label);
  weight->scales = decoded.scale;
  weight->zeros = decoded.zero;
  return weight;
}

constexpr Layout kLayouts[] = {{"plain", plain_refuses, load_plain},
                               {"affine", affine_refuses, load_affine}};

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
  Layouts layouts() const override { return kLayouts; }
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
  decode_row(place.code, words->as<uint32_t>(), out, out, codes.data());
  values.resize(size_t(out));
  for (int64_t n = 0; n < out; n++) {
    const int64_t at = place.group * out + n;
    values[size_t(n)] =
        dequantise(codes[size_t(n)], zeros->as<uint8_t>()[at], scales->as<uint16_t>()[at]);
  }
}

std::unique_ptr<Backend> make_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace exl::reference
