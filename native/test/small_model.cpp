#include "test/small_model.h"

#include <cstdio>
#include <cstring>
#include <random>

#include "base/float16.h"
#include "sampling/sampler.h"

namespace exl::test {

namespace {

constexpr int64_t kHidden = 64, kHeads = 4, kKeyHeads = 2, kDim = 16;
constexpr const char* kFile = "node-exllama-small-model.bin";

enum { Table, NormIn, Query, Key, Value, Frequencies, Output, NormMiddle, Mlp, NormOut, Head };

ByteSource in_memory(std::vector<std::byte> bytes) {
  const auto kept = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  ByteSource source;
  source.length = kept->size();
  source.memory = std::shared_ptr<const std::byte>(kept, kept->data());
  return source;
}

template <typename T, typename F>
std::vector<std::byte> bytes_of(int64_t count, F value) {
  std::vector<std::byte> bytes(size_t(count) * sizeof(T));
  for (int64_t i = 0; i < count; i++) {
    const T x = value(i);
    std::memcpy(bytes.data() + size_t(i) * sizeof(T), &x, sizeof(T));
  }
  return bytes;
}

std::vector<std::byte> random_halves(int64_t count, unsigned seed, float scale) {
  std::mt19937 random(seed);
  return bytes_of<uint16_t>(count, [&](int64_t) {
    return float_to_half((float(random()) / float(UINT32_MAX) * 2 - 1) * scale);
  });
}

WeightSource plain(Shape shape, ByteSource data) {
  WeightSource source{&formats::plain, shape, {}, {}};
  source.pieces["data"] = {Dtype::F16, std::move(shape), std::move(data)};
  source.validate();
  return source;
}

WeightSource floats(Shape shape, unsigned seed, float scale) {
  const int64_t count = element_count(shape);
  return plain(std::move(shape), in_memory(random_halves(count, seed, scale)));
}

// 4 bits, two groups, rows of the input in an order of its own.
WeightSource quantised(int64_t in, int64_t out, unsigned seed) {
  std::mt19937 random(seed);
  const auto word = [&](int64_t) { return uint32_t(random()); };
  const auto row = [&](int64_t p) { return int32_t(p * (2 * seed + 1) % in); };
  const auto pair = [&](int64_t i) { return int32_t(i % 2 ? in / 2 : 4); };
  const auto scale = [](int64_t) { return float_to_half(0.01f); };
  WeightSource source{&formats::gptq, {out, in}, {}, {{"zeroOffset", 1}}};
  const auto add = [&](const char* name, Dtype dtype, Shape shape, std::vector<std::byte> bytes) {
    source.pieces[name] = {dtype, std::move(shape), in_memory(std::move(bytes))};
  };
  add("codes", Dtype::I32, {in / 8, out}, bytes_of<uint32_t>(in / 8 * out, word));
  add("scales", Dtype::F16, {2, out}, bytes_of<uint16_t>(2 * out, scale));
  add("zeros", Dtype::I32, {2, out / 8}, bytes_of<uint32_t>(2 * out / 8, word));
  add("groups", Dtype::I32, {2, 2}, bytes_of<int32_t>(4, pair));
  add("order", Dtype::I32, {in}, bytes_of<int32_t>(in, row));
  source.validate();
  return source;
}

}  // namespace

SmallModel::SmallModel(std::shared_ptr<Backend> backend, std::shared_ptr<Ledger> ledger, bool all)
    : backend_(std::move(backend)),
      ledger_(std::move(ledger)),
      allocate_{ledger_, "model", backend_->memory()},
      all_(all),
      vocabulary_(all ? 640 : 48) {}

void SmallModel::load(bool long_table) {
  weights_.clear();
  const auto load = [&](const WeightSource& source, const std::string& label) {
    weights_.push_back(backend_->load(source, allocate_, label));
  };
  // The table comes from a file.
  const int64_t rows = long_table ? 70'000 : vocabulary_;
  const std::vector<std::byte> table = random_halves(rows * kHidden, 1, 1);
  std::FILE* file = std::fopen(kFile, "wb");
  std::fwrite(table.data(), 1, table.size(), file);
  std::fclose(file);
  {
    ByteSource source;
    source.path = kFile;
    source.length = table.size();
    source.loader = std::make_shared<Loader>(LoadMode::Buffered, allocate_);
    load(plain({rows, kHidden}, source), "table");
  }
  std::remove(kFile);
  load(floats({kHidden}, 2, 1), "norm_in");
  const auto projection = [&](int64_t out, unsigned seed) -> WeightSource {
    if (all_) return quantised(kHidden, out, seed);
    return floats({out, kHidden}, seed, 0.3f);
  };
  load(projection(kHeads * kDim, 3), "query");
  load(projection(kKeyHeads * kDim, 4), "key");
  load(projection(kKeyHeads * kDim, 5), "value");
  load(floats({kDim / 2}, 6, 0.5f), "frequencies");
  load(quantised(kHeads * kDim, kHidden, 2), "output");
  load(floats({kHidden}, 9, 1), "norm_middle");
  load(floats({kHidden, kHidden}, 10, 0.2f), "mlp");
  load(floats({kHidden}, 7, 1), "norm_out");
  load(floats({vocabulary_, kHidden}, 8, 1), "head");
}

void SmallModel::compile(bool lowered, bool layer_norm) {
  program_.reset();
  cache_ = make_cache(allocate_, CacheType::Fp16, backend_->cache_type(), 1, kMostSequences + 1,
                      kKeyHeads, kDim);

  Recording r;
  r.cache = cache_;
  r.max_rows = 24, r.max_outputs = kMostSequences, r.max_sequences = kMostSequences;
  r.pages_per_sequence = 1;
  const auto value = [&](Shape shape) {
    r.values.push_back(shape);
    Operand operand;
    operand.kind = Operand::Kind::Value;
    operand.value = int(r.values.size()) - 1;
    operand.shape = std::move(shape);
    return operand;
  };
  const auto seen_as = [](Operand operand, Shape shape) {
    operand.shape = std::move(shape);
    return operand;
  };
  const auto of = [&](int index) {
    Operand operand;
    operand.kind = Operand::Kind::Weight;
    operand.weight = weights_.at(size_t(index));
    operand.shape = operand.weight->shape;
    return operand;
  };
  const auto slot = [](Slot which, Shape shape) {
    Operand operand;
    operand.kind = Operand::Kind::Slot;
    operand.slot = which;
    operand.shape = std::move(shape);
    return operand;
  };
  const auto add = [&](const char* name, std::vector<Operand> inputs, std::vector<Operand> outputs,
                       std::vector<double> attributes = {}) {
    r.ops.push_back({&find_op(name), name, std::move(inputs), std::move(outputs), attributes});
  };

  Operand layer;
  layer.kind = Operand::Kind::Cache;
  layer.shape = {kKeyHeads, kDim};
  const Operand none, positions = slot(Slot::Positions, {kRows}),
                      sequences = slot(Slot::Sequences, {kRows}),
                      pages = slot(Slot::Pages, {kMostSequences, 1});
  const Operand x = value({kRows, kHidden}), n = value({kRows, kHidden});
  const Operand q = value({kRows, kHeads, kDim}), k = value({kRows, kKeyHeads, kDim}),
                v = value({kRows, kKeyHeads, kDim}), angles = value({kRows, kDim / 2, 2});
  const Operand turned_q = value({kRows, kHeads, kDim}), turned_k = value({kRows, kKeyHeads, kDim});
  const Operand mixed = value({kRows, kHeads, kDim}), o = value({kRows, kHidden}),
                sum = value({kRows, kHidden});
  const Operand m = value({kRows, kHidden}), up = value({kRows, kHidden}),
                y = value({kRows, kHidden});
  const Operand last = value({kOutputs, kHidden}), normed = value({kOutputs, kHidden}),
                logits = value({kOutputs, vocabulary_}), ids = value({kOutputs});

  add("embed", {slot(Slot::Tokens, {kRows}), of(Table)}, {x});
  add("rms_norm", {x, of(NormIn)}, {n}, {1e-5, 0});
  add("linear", {n, of(Query), none}, {seen_as(q, {kRows, kHeads * kDim})});
  add("linear", {n, of(Key), none}, {seen_as(k, {kRows, kKeyHeads * kDim})});
  add("linear", {n, of(Value), none}, {seen_as(v, {kRows, kKeyHeads * kDim})});
  add("rope_angles", {positions, of(Frequencies)}, {angles}, {1});
  add("rope", {q, angles}, {turned_q}, {0});
  add("rope", {k, angles}, {turned_k}, {0});
  add("cache_write", {turned_k, v, layer, positions, sequences, pages}, {});
  add("attention", {turned_q, layer, positions, sequences, pages}, {mixed}, {0.25, 0, 0});
  add("linear", {seen_as(mixed, {kRows, kHeads * kDim}), of(Output), none}, {o});
  add("add", {x, o}, {sum});
  if (layer_norm)
    add("layer_norm", {sum, of(NormMiddle), of(NormMiddle)}, {m}, {1e-5});
  else
    add("rms_norm", {sum, of(NormMiddle)}, {m}, {1e-5, 0});
  add("linear", {m, of(Mlp), none}, {up});
  add("add", {sum, up}, {y});
  add("gather_rows", {y, slot(Slot::Outputs, {kOutputs})}, {last});
  add("rms_norm", {last, of(NormOut)}, {normed}, {1e-5, 0});
  add("linear", {normed, of(Head), none}, {logits});
  add("sample",
      {logits, slot(Slot::Samplers, {kOutputs}), slot(Slot::Tokens, {kRows}),
       slot(Slot::Outputs, {kOutputs}), none, none},
      {ids}, {double(vocabulary_)});
  r.results = {ids.value, logits.value};
  r.lowered = lowered;
  program_ = std::make_unique<Program>(backend_, std::move(r), allocate_);
}

std::vector<int32_t> SmallModel::step(const std::vector<int32_t>& tokens, int32_t sequences,
                                      int32_t first) {
  SlotValues slots;
  const int32_t count = int32_t(tokens.size()) / sequences;
  const auto fill = [&](Slot slot) -> std::vector<int32_t>& { return slots.ints[size_t(slot)]; };
  fill(Slot::Tokens) = tokens;
  for (int32_t s = 0; s < sequences; s++) {
    for (int32_t i = 0; i < count; i++) {
      fill(Slot::Positions).push_back(first + i);
      fill(Slot::Sequences).push_back(s);
    }
    fill(Slot::Pages).push_back(s);
    fill(Slot::Outputs).push_back((s + 1) * count - 1);
    SamplerSettings settings;
    settings.temperature = 0;
    slots.samplers.push_back(std::make_shared<Sampler>(settings));
  }
  program_->set_slots(slots);
  const std::atomic<bool> stop{false};
  program_->run(stop);
  logits_ = program_->read(size_t(program_->results()[1])).bytes;
  const HostValue ids = program_->read(size_t(program_->results()[0]));
  std::vector<int32_t> result(ids.bytes.size() / sizeof(int32_t));
  std::memcpy(result.data(), ids.bytes.data(), ids.bytes.size());
  return result;
}

void SmallModel::share_page() { copy_pages(backend_->memory().get(), *cache_, {0}, {1}); }

}  // namespace exl::test
