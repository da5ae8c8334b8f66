#include <algorithm>
#include <numeric>

#include "cuda/kernels/kernels.h"
#include "cuda/quant_layout.h"
#include "formats/format.h"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

template <typename T>
ByteSource bytes_of(std::vector<T> data) {
  const auto owner = std::make_shared<std::vector<T>>(std::move(data));
  ByteSource source;
  source.length = owner->size() * sizeof(T);
  source.memory = {owner, reinterpret_cast<const std::byte*>(owner->data())};
  return source;
}

// A matrix as it would be on disk, and as native/formats decodes it: [in, out], rows as stored.
struct Matrix {
  WeightSource source;
  std::vector<double> decoded;

  int64_t in() const { return source.shape[1]; }
  int64_t out() const { return source.shape[0]; }
  double at(int64_t k, int64_t n) const { return decoded[size_t(k * out() + n)]; }

  template <typename T>
  const T* data(const char* piece) const {
    return reinterpret_cast<const T*>(source.piece(piece).bytes.memory.get());
  }

  void decode() {
    const auto ledger = std::make_shared<Ledger>();
    const Allocator allocate{ledger, "test"};
    source.validate();
    const AffineMatrix matrix(source);
    const GroupScales scales = matrix.scales(allocate, Kind::Weights, "test");
    const BufferPtr words = matrix.codes.to_buffer(allocate, Kind::Staging, 4, "words");
    std::vector<uint8_t> codes(size_t(matrix.out));
    int64_t k = 0;
    for (size_t g = 0; g < matrix.groups.size(); g++)
      for (int64_t row = 0; row < matrix.groups[g].rows; row++, k++) {
        decode_row(matrix.places[size_t(k)], words->as<uint32_t>(), matrix.out, matrix.out,
                   codes.data());
        for (size_t n = 0; n < codes.size(); n++) {
          const size_t at = g * codes.size() + n;
          decoded.push_back(double(dequantise(codes[n], scales.zero->as<uint8_t>()[at],
                                              scales.scale->as<uint16_t>()[at])));
        }
      }
  }
};

// What both formats have.
Matrix bit_stream_matrix(const Format& format, const std::vector<QuantGroup>& groups, int64_t out,
                         const std::vector<int32_t>& order, Random& random) {
  int64_t in = 0, bits = 0;
  std::vector<int32_t> pairs;
  for (const QuantGroup& group : groups) {
    in += group.rows;
    bits += group.rows * group.bits;
    pairs.push_back(group.bits);
    pairs.push_back(int32_t(group.rows));
  }
  Matrix m;
  m.source.format = &format;
  m.source.shape = {out, in};
  m.source.pieces["codes"] = {
      Dtype::I32, {bits / 32, out}, bytes_of(random.words(size_t(bits / 32 * out)))};
  m.source.pieces["groups"] = {Dtype::I32, {int64_t(groups.size()), 2}, bytes_of(pairs)};
  if (!order.empty())
    m.source.pieces[&format == &formats::gptq ? "order" : "permutation"] = {
        Dtype::I32, {in}, bytes_of(order)};
  return m;
}

std::vector<int32_t> shuffled(Random& random, int64_t count) {
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; i--)
    std::swap(order[i - 1], order[size_t(random.below(int(i)))]);
  return order;
}

Matrix exl2_matrix(const std::vector<QuantGroup>& groups, int out, bool permuted) {
  Random random(21);
  int64_t in = 0;
  for (const QuantGroup& group : groups) in += group.rows;
  const int64_t count = int64_t(groups.size());
  std::vector<uint16_t> largest(groups.size());
  // As small as they are in models, where a 256th of them is subnormal.
  for (uint16_t& m : largest) m = float_to_half(0.001f + 0.01f * float(random.below(100)) / 100);
  const std::vector<int32_t> order = permuted ? shuffled(random, in) : std::vector<int32_t>();
  Matrix m = bit_stream_matrix(formats::exl2, groups, out, order, random);
  m.source.pieces["scales"] = {
      Dtype::I32, {count, out / 8}, bytes_of(random.words(groups.size() * size_t(out) / 8))};
  m.source.pieces["maxima"] = {Dtype::F16, {count}, bytes_of(largest)};
  m.decode();
  return m;
}

Matrix gptq_matrix(int in, int group_rows, int out, Dtype dtype, bool act_order) {
  Random random(22);
  std::vector<QuantGroup> groups;
  for (int row = 0; row < in; row += group_rows)
    groups.push_back({4, std::min(group_rows, in - row)});
  const size_t count = groups.size() * size_t(out);
  std::vector<float> wide(count);
  for (float& s : wide) s = 0.002f + 0.02f * float(random.below(1000)) / 1000;
  std::vector<uint16_t> narrow(count);
  for (size_t i = 0; i < count; i++)
    narrow[i] =
        dtype == Dtype::F16 ? float_to_half(wide[i]) : uint16_t(__float_as_uint(wide[i]) >> 16);
  const std::vector<int32_t> order = act_order ? shuffled(random, in) : std::vector<int32_t>();
  Matrix m = bit_stream_matrix(formats::gptq, groups, out, order, random);
  m.source.pieces["scales"] = {dtype,
                               {int64_t(groups.size()), out},
                               dtype == Dtype::F32 ? bytes_of(wide) : bytes_of(narrow)};
  m.source.pieces["zeros"] = {
      Dtype::I32, {int64_t(groups.size()), out / 8}, bytes_of(random.words(count / 8))};
  m.source.numbers["zeroOffset"] = 1;
  m.decode();
  return m;
}

// Bytes of shared memory that a block may have.
constexpr int kTuringShared = 64 << 10, kHopperShared = 227 << 10;

// The matrix in device memory, by way of the repacking kernels.
struct Loaded {
  explicit Loaded(const Matrix& m, int block_shared_bytes = kTuringShared) {
    const AffineMatrix s(m.source);
    std::vector<std::pair<int, int64_t>> groups;
    for (const QuantGroup& group : s.groups) groups.push_back({group.bits, group.rows});
    layout = cuda::plan_quant_layout(groups);
    check(layout.objection.empty(), "there is a layout: " + layout.objection);
    std::vector<int32_t> places;
    for (const CodePlace& place : s.places)
      places.push_back(int32_t(place.word * 32 + place.shift));
    const size_t strips = size_t(s.out + 31) / 32, scale_count = strips * s.groups.size() * 32;
    codes.assign(strips * size_t(layout.words_per_strip), 0xdeadbeef);
    scales = unset_halves(scale_count);
    zeros.assign(scale_count, 0xff);
    for (const int32_t k : s.features) permutation.push_back(uint16_t(k));

    cuda::repack_codes(nullptr, {m.data<uint32_t>("codes"), places.data(), layout.chunks.data(),
                                 codes.data(), int(s.in), int(s.out), layout.words_per_strip});
    const auto ledger = std::make_shared<Ledger>();
    const GroupScales stored = s.scales({ledger, "test"}, Kind::Weights, "test");
    cuda::RepackScalesParams p{.scales = stored.scale->as<half>(),
                               .to_scales = scales.data(),
                               .groups = int(s.groups.size()),
                               .out = int(s.out)};
    if (s.has_zeros) {
      p.zeros = stored.zero->as<uint8_t>();
      p.to_zeros = zeros.data();
    }
    cuda::repack_scales(nullptr, p);
    emulator::synchronise();  // weights are complete before a step begins
    weight = {codes.data(),
              scales.data(),
              s.has_zeros ? zeros.data() : nullptr,
              layout.chunks.data(),
              permutation.empty() ? nullptr : permutation.data(),
              int(s.in),
              int(s.out),
              int(s.groups.size()),
              layout.max_bits,
              layout.words_per_strip,
              block_shared_bytes};
  }

  cuda::QuantLayout layout;
  std::vector<uint32_t> codes;
  std::vector<half> scales;
  std::vector<uint8_t> zeros;
  std::vector<uint16_t> permutation;
  cuda::QuantWeight weight;
};

using Run = std::function<void(const cuda::LinearRows&)>;

// Runs the first `rows` rows of x, from `first` on.
std::vector<half> rows_of(const Run& run, const std::vector<half>& x, int in, int out, int first,
                          int rows) {
  auto y = unset_halves(size_t(rows) * size_t(out));
  arrive_late(x);
  run({.x = x.data() + int64_t(first) * in, .y = y.data(), .rows = rows});
  return y;
}

// W is [in, out] in the order of x. Some numbers of rows in each regime, against the plain product
// and against each other.
void products(const Run& run, const std::vector<double>& w, int in, int out,
              const std::vector<int>& counts, const std::string& what) {
  Random random(23);
  const int most = *std::max_element(counts.begin(), counts.end());
  const auto x = random.halves(size_t(most) * size_t(in));
  const auto bias = random.halves(size_t(out));
  std::vector<double> expected(size_t(most) * size_t(out)), size(expected.size());
  for (int r = 0; r < most; r++)
    for (int k = 0; k < in; k++)
      for (int n = 0; n < out; n++) {
        const double product =
            value(x[size_t(r * in + k)]) * w[size_t(k) * size_t(out) + size_t(n)];
        expected[size_t(r * out + n)] += product;
        size[size_t(r * out + n)] += std::abs(product);
      }
  // Products of halves are exact in fp32; a sum of `in` of them is not.
  const auto bound = [&](size_t i) { return size[i] * in * kFloatUlp; };
  std::vector<half> few, many;
  for (const int rows : counts) {
    const auto y = rows_of(run, x, in, out, 0, rows);
    const std::string name = what + ", " + std::to_string(rows) + " rows";
    const std::vector<double> part(expected.begin(), expected.begin() + std::ptrdiff_t(y.size()));
    compare(
        y, part, [&](size_t i) { return bound(i) + std::abs(expected[i]) * kHalfUlp + kHalfTiny; },
        name);
    auto& before = rows <= cuda::kFewRows ? few : many;
    const size_t shared = std::min(before.size(), y.size());
    check(shared == 0 || std::memcmp(before.data(), y.data(), shared * sizeof(half)) == 0,
          name + ", the same bits as fewer");
    if (y.size() > before.size()) before = y;
  }
  const auto last = rows_of(run, x, in, out, most - 1, 1), first = rows_of(run, x, in, out, 0, 1);
  check(same_bits(first, {few.begin(), few.begin() + out}), what + ", the first row alone");
  if (most <= cuda::kFewRows)
    check(same_bits(last, {few.end() - out, few.end()}), what + ", the last row alone");

  // Floats, with everything that can be added.
  const int rows = std::min(most, 3);
  auto wide = random.floats(size_t(rows * out));
  for (size_t i = 0; i < wide.size(); i++) {
    expected[i] += value(bias[i % size_t(out)]) + double(wide[i]);
    size[i] += std::abs(value(bias[i % size_t(out)])) + std::abs(double(wide[i]));
  }
  arrive_late(x);
  arrive_late(wide);
  run({.x = x.data(),
       .bias = bias.data(),
       .add = wide.data(),
       .y = wide.data(),
       .rows = rows,
       .type = cuda::Type::F32});
  expected.resize(wide.size());
  compare(
      wide, expected, [&](size_t i) { return bound(i) + 2 * size[i] * kFloatUlp; },
      what + ", floats and sums");
}

void quant_case(const Matrix& m, const std::vector<int>& counts, const std::string& what,
                int block_shared_bytes = kTuringShared) {
  emulator::set_block_shared_limit(size_t(block_shared_bytes));
  const Loaded loaded(m, block_shared_bytes);
  const int in = int(m.in()), out = int(m.out());
  const std::vector<int32_t> features = AffineMatrix(m.source).features;
  const Run run = [&](const cuda::LinearRows& rows) {
    cuda::QuantLinearParams p{loaded.weight, rows};
    check(cuda::quant_linear_refuses(p).empty(), what + " is not refused");
    auto permuted = unset_halves(size_t(cuda::quant_linear_scratch_bytes(p)) / sizeof(half));
    p.permuted = permuted.data();
    emulate([&] { cuda::quant_linear(nullptr, {&p, 1}); });
  };
  std::vector<double> w(m.decoded.size());
  for (int64_t k = 0; k < in; k++) {
    const int64_t row = features.empty() ? k : features[size_t(k)];
    for (int64_t n = 0; n < out; n++) w[size_t(row * out + n)] = m.at(k, n);
  }
  products(run, w, in, out, counts, what);

  // A row that is one at one place picks a row of weights, exactly.
  const int rows = std::min(in, 64);
  for (const int step : {rows, 16}) {
    std::vector<half> x(size_t(rows) * size_t(in), __float2half_rn(0)), y;
    std::vector<double> expected;
    for (int r = 0; r < rows; r++) {
      const int k = r * (in / rows);
      x[size_t(r * in + k)] = __float2half_rn(1);
      for (int n = 0; n < out; n++) expected.push_back(w[size_t(k * out + n)]);
    }
    for (int first = 0; first < rows; first += step) {
      const auto part = rows_of(run, x, in, out, first, std::min(step, rows - first));
      y.insert(y.end(), part.begin(), part.end());
    }
    compare(y, expected, [](size_t) { return 0.0; }, what + ", its weights");
  }
}

void half_case(int in, int out, const std::vector<int>& counts) {
  Random random(24);
  const auto weight = random.halves(size_t(in) * size_t(out), 0.1f);
  const std::string what = "half_linear " + std::to_string(in) + " x " + std::to_string(out);
  std::vector<double> w(weight.size());
  for (int k = 0; k < in; k++)
    for (int n = 0; n < out; n++) w[size_t(k * out + n)] = value(weight[size_t(n * in + k)]);
  products(
      [&](const cuda::LinearRows& rows) {
        const cuda::HalfLinearParams p{weight.data(), in, out, rows};
        check(cuda::half_linear_refuses(p).empty(), what + " is not refused");
        emulate([&] { cuda::half_linear(nullptr, {&p, 1}); });
      },
      w, in, out, counts, what);
}

// Layers of one input, of different widths, formats and numbers of warps: as each alone.
void together(int rows) {
  const std::string what = std::to_string(rows) + " rows of layers together";
  const int in = 512;
  std::vector<Loaded> loaded;
  for (const Matrix& m :
       {exl2_matrix({{4, 256}, {3, 256}}, 96, true), exl2_matrix({{8, 512}}, 40, false),
        exl2_matrix({{2, 512}}, 32, true), exl2_matrix({{4, 512}}, 64, false),
        exl2_matrix({{6, 512}}, 32, false), gptq_matrix(in, 128, 64, Dtype::F16, false),
        gptq_matrix(in, 64, 32, Dtype::F16, true)})
    loaded.emplace_back(m);
  Random random(26);
  const auto x = random.halves(size_t(rows) * size_t(in));
  std::vector<std::vector<half>> alone, all, permuted;
  std::vector<cuda::QuantLinearParams> layers;
  for (const Loaded& layer : loaded) {
    const size_t count = size_t(rows) * size_t(layer.weight.out);
    alone.push_back(unset_halves(count));
    all.push_back(unset_halves(count));
    permuted.push_back(unset_halves(x.size()));
    cuda::QuantLinearParams p{layer.weight,
                              {.x = x.data(), .y = alone.back().data(), .rows = rows},
                              permuted.back().data()};
    emulate([&] { cuda::quant_linear(nullptr, {&p, 1}); }, x);
    p.rows.y = all.back().data();
    layers.push_back(p);
  }
  const std::span<const cuda::QuantLinearParams> list = layers;
  emulate(
      [&] {
        for (size_t i = 0; i < list.size(); i += 3)
          cuda::quant_linear(nullptr, list.subspan(i, std::min<size_t>(3, list.size() - i)));
      },
      x);
  for (size_t i = 0; i < layers.size(); i++)
    check(same_bits(all[i], alone[i]), what + ", layer " + std::to_string(i));

  const auto weights = random.halves(size_t(in) * 72, 0.1f);
  std::vector<half> half_alone = unset_halves(size_t(rows) * 72), half_all[2];
  cuda::HalfLinearParams p{
      weights.data(), in, 72, {.x = x.data(), .y = half_alone.data(), .rows = rows}};
  emulate([&] { cuda::half_linear(nullptr, {&p, 1}); }, x);
  std::vector<cuda::HalfLinearParams> halves;
  for (auto& y : half_all) {
    y = unset_halves(half_alone.size());
    p.rows.y = y.data();
    halves.push_back(p);
  }
  emulate([&] { cuda::half_linear(nullptr, halves); }, x);
  for (const auto& y : half_all) check(same_bits(y, half_alone), what + ", of halves");
}

void refusals() {
  using Groups = std::vector<std::pair<int, int64_t>>;
  check(!cuda::plan_quant_layout(Groups{{4, 16}, {4, 16}}).objection.empty(),
        "groups of 16 are refused");
  check(!cuda::plan_quant_layout(Groups{{7, 32}}).objection.empty(), "7 bits are refused");
  check(!cuda::plan_quant_layout(Groups{{4, 65568}}).objection.empty(),
        "too many inputs are refused");
  check(!cuda::half_linear_refuses({nullptr, 12, 5, {}}).empty(), "12 inputs are refused");
}

}  // namespace

void half_linear_test() {
  half_case(8, 1, {1, 3, 20});
  half_case(64, 40, {1, 2, 8, 9, 16, 17, 70});
  half_case(200, 97, {1, 5, 33});
  half_case(1056, 32, {1, 16, 17});
  half_case(2048, 40, {1, 6, 7, 9});  // inputs as a whole, and not
  if (!full) return;
  half_case(256, 160, {1, 16, 17, 65, 129, 200});
  half_case(4096, 32, {1, 16});
}

void quant_linear_test() {
  refusals();
  for (const int bits : {2, 3, 4, 5, 6, 8})
    quant_case(exl2_matrix({{bits, 32}, {bits, 64}}, 64, false), {1, 3, 20},
               "EXL2 of " + std::to_string(bits) + " bits");
  const std::vector<QuantGroup> mixed = {{8, 32}, {6, 64}, {5, 32}, {4, 128}, {3, 32}, {2, 64}};
  quant_case(exl2_matrix(mixed, 104, true), {1, 2, 8, 9, 16, 17, 70}, "EXL2 of every width");
  quant_case(gptq_matrix(128, 32, 40, Dtype::F16, false), {1, 8, 17}, "GPTQ");
  quant_case(gptq_matrix(128, 64, 72, Dtype::BF16, true), {1, 9, 33}, "GPTQ by activation order");
  quant_case(gptq_matrix(72, 32, 64, Dtype::F32, true), {2, 18}, "GPTQ of ragged groups");
  quant_case(exl2_matrix({{4, 2048}}, 40, true), {1, 6, 7, 9}, "EXL2 of many inputs");
  quant_case(exl2_matrix({{4, 13312}}, 32, true), {1, 2}, "EXL2 of a long row", kHopperShared);
  for (const int rows : {1, 9, 18}) together(rows);
  if (!full) return;
  quant_case(exl2_matrix({{4, 13312}}, 32, true), {1, 2}, "EXL2 of a long row, in order first");
  quant_case(exl2_matrix({{5, 128}, {5, 128}, {4, 768}, {3, 32}}, 160, true), {1, 7, 16, 17, 129},
             "EXL2 5, 4 and 3");
  quant_case(exl2_matrix({{4, 4096}}, 32, true), {1, 16}, "EXL2 with inputs in slices");
  quant_case(gptq_matrix(512, 128, 136, Dtype::F16, true), {1, 16, 17, 130}, "GPTQ g128");
}

}  // namespace exl::test
