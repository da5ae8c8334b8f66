#include "core/program.h"

#include <algorithm>
#include <cstring>

#include "core/plan.h"

namespace exl {

namespace {

int64_t actual(int64_t dim, int64_t rows, int64_t outputs) {
  return dim == kRows ? rows : dim == kOutputs ? outputs : dim;
}

Shape actual(const Shape& shape, int64_t rows, int64_t outputs) {
  Shape result;
  for (const int64_t dim : shape) result.push_back(actual(dim, rows, outputs));
  return result;
}

bool is_sample(const Op& op) { return std::string_view(op.name) == "sample"; }

// Ids and page numbers are integers; everything else has the backend's activation type.
Dtype value_type(const OpRecord& record, const Backend& backend) {
  return is_sample(*record.op) ? Dtype::I32 : backend.activation_type();
}

}  // namespace

Program::Program(std::shared_ptr<Backend> backend, Recording recording, const Allocator& allocate)
    : backend_(std::move(backend)), recording_(std::move(recording)) {
  const Recording& r = recording_;
  const auto in_range = [](int64_t value) { return value >= 1 && value <= 1 << 20; };
  if (!in_range(r.max_rows) || !in_range(r.max_outputs) || !in_range(r.max_sequences))
    throw Error(Code::InvalidArgument, "a program needs 1 to 1048576 rows, outputs and sequences");

  slot_capacity_ = {
      r.max_rows,    r.max_rows,    r.max_rows,   r.max_sequences * r.pages_per_sequence,
      r.max_outputs, r.max_outputs, r.max_outputs};
  int64_t total = 0;
  for (const int64_t count : slot_capacity_) total += count;
  slots_ = allocate(size_t(total) * sizeof(int32_t), Kind::Staging, "slots");
  int32_t* next = slots_->as<int32_t>();
  for (int i = 0; i < kSlotCount; i++) {
    slot_data_[size_t(i)] = next;
    next += slot_capacity_[size_t(i)];
  }

  drawn_.assign(size_t(r.max_sequences), 0);
  plan(allocate);

  backend_->use_threads(r.threads);  // kernels ask for scratch memory per thread
  size_t scratch = 0;
  rows_ = r.max_rows, outputs_ = r.max_outputs, sequences_ = r.max_sequences;
  for (const OpRecord& record : r.ops) {
    std::vector<Shape> shapes;
    for (const Operand& input : record.inputs) shapes.push_back(input.shape);
    const std::vector<Shape> inferred = infer_shapes(*record.op, shapes);

    Call call;
    call.op = record.op;
    call.path = record.path;
    call.attributes = record.attributes;
    for (const Operand& input : record.inputs) {
      Call::Operand operand;
      operand.weight = input.weight;
      if (input.kind == Operand::Kind::Cache)
        operand.cache = &r.cache->layers.at(size_t(input.value));
      if (input.kind == Operand::Kind::Slot)
        operand.tensor = {Dtype::I32, actual(input.shape, r.max_rows, r.max_outputs),
                          slot_data_[size_t(input.slot)]};
      if (input.kind == Operand::Kind::Value || input.kind == Operand::Kind::Tensor)
        operand.tensor = bind_value(input);
      call.inputs.push_back(std::move(operand));
    }
    for (size_t i = 0; i < record.outputs.size(); i++) {
      if (record.outputs[i].shape != inferred.at(i))
        throw Error(Code::ShapeMismatch,
                    std::string(record.op->name) + " gives " + shape_text(inferred[i]) +
                        ", recorded as " + shape_text(record.outputs[i].shape),
                    record.path);
      Tensor output = bind_value(record.outputs[i]);
      if (record.outputs[i].kind == Operand::Kind::Value)
        output.dtype = value_type(record, *backend_);
      call.outputs.push_back(std::move(output));
    }
    if (std::string_view(record.op->name) == "embed")
      vocabulary_ = record.inputs[1].weight->shape[0];

    const Kernel& kernel = select_kernel(*backend_, call);
    if (kernel.scratch) scratch = std::max(scratch, kernel.scratch(*backend_, call));
    kernels_.push_back(&kernel);
    calls_.push_back(std::move(call));
  }
  if (scratch) scratch_ = allocate(scratch, Kind::Activations, "scratch");
}

void Program::plan(const Allocator& allocate) {
  const Recording& r = recording_;
  std::vector<Lifetime> lifetimes;
  for (const Shape& shape : r.values) {
    const int64_t elements = element_count(actual(shape, r.max_rows, r.max_outputs));
    lifetimes.push_back({size_t(elements) * dtype_size(backend_->activation_type()), SIZE_MAX, 0});
  }
  for (size_t i = 0; i < r.ops.size(); i++) {
    for (const auto* operands : {&r.ops[i].inputs, &r.ops[i].outputs})
      for (const Operand& operand : *operands) {
        if (operand.kind != Operand::Kind::Value) continue;
        Lifetime& life = lifetimes.at(size_t(operand.value));
        life.first = std::min(life.first, i);
        life.last = std::max(life.last, i);
      }
  }
  for (const int result : r.results) lifetimes.at(size_t(result)).last = r.ops.size();
  for (Lifetime& life : lifetimes)
    if (life.first == SIZE_MAX) life = {0, 0, 0};  // written to a tensor of the user instead
  const ArenaPlan arena = plan_arena(lifetimes);
  offsets_ = arena.offsets;
  if (arena.bytes) arena_ = allocate(arena.bytes, Kind::Activations, "activations");
}

Tensor Program::bind_value(const Operand& operand) const {
  if (operand.kind == Operand::Kind::Tensor) {
    Tensor tensor = operand.tensor;
    tensor.shape = operand.shape;
    return tensor;
  }
  const Shape shape = actual(operand.shape, recording_.max_rows, recording_.max_outputs);
  const Shape stored = actual(recording_.values.at(size_t(operand.value)), recording_.max_rows,
                              recording_.max_outputs);
  if (element_count(shape) != element_count(stored))
    throw Error(Code::ShapeMismatch, shape_text(operand.shape) +
                                         " does not have as many elements as " +
                                         shape_text(recording_.values[size_t(operand.value)]));
  return {backend_->activation_type(), shape, arena_->data() + offsets_[size_t(operand.value)]};
}

void Program::set_slots(const SlotValues& slots) {
  const auto fail = [](const std::string& why) { throw Error(Code::InvalidArgument, why); };
  const auto count = [&](Slot slot) { return int64_t(slots[slot].size()); };
  const auto within = [&](Slot slot, int64_t least, int64_t below) {
    for (const int32_t value : slots[slot])
      if (value < least || value >= below)
        fail(std::string(kSlotNames[size_t(slot)]) + " holds " + std::to_string(value) +
             ", expected " + std::to_string(least) + " to " + std::to_string(below - 1));
  };
  for (int i = 0; i < kSlotCount; i++)
    if (count(Slot(i)) > slot_capacity_[size_t(i)])
      fail(std::string(kSlotNames[size_t(i)]) + " has " + std::to_string(count(Slot(i))) +
           " entries, the program was compiled for " + std::to_string(slot_capacity_[size_t(i)]));

  const int64_t rows = count(Slot::Positions);
  const int64_t per_sequence = recording_.pages_per_sequence;
  const int64_t sequences = per_sequence ? count(Slot::Pages) / per_sequence : 0;
  if (vocabulary_ && count(Slot::Tokens) != rows) fail("tokens and positions differ in length");
  if (vocabulary_) within(Slot::Tokens, recording_.cache ? -1 : 0, vocabulary_);
  if (recording_.cache) {
    if (count(Slot::Sequences) != rows) fail("sequences and positions differ in length");
    within(Slot::Sequences, 0, sequences);
    within(Slot::Positions, 0, per_sequence * kPageTokens);
    within(Slot::Pages, 0, recording_.cache->layers[0].pages);
  }
  within(Slot::Outputs, 0, rows);
  within(Slot::Targets, 0, vocabulary_ ? vocabulary_ : INT32_MAX);
  const int64_t outputs = count(Slot::Outputs);
  if (count(Slot::Targets) && count(Slot::Targets) != outputs)
    fail("targets and outputs differ in length");
  if (!slots.samplers.empty() && int64_t(slots.samplers.size()) != outputs)
    fail("samplers and outputs differ in length");

  for (int i = 0; i < kSlotCount; i++)
    std::copy(slots.ints[size_t(i)].begin(), slots.ints[size_t(i)].end(), slot_data_[size_t(i)]);
  for (int64_t r = 0; r < count(Slot::Tokens); r++)
    if (int32_t& token = slot_data_[size_t(Slot::Tokens)][r]; token < 0)
      token = drawn_[size_t(slots[Slot::Sequences][size_t(r)])];
  samplers_ = slots.samplers;
  resize(rows, outputs, sequences);
}

void Program::resize(int64_t rows, int64_t outputs, int64_t sequences) {
  rows_ = rows, outputs_ = outputs, sequences_ = sequences;
  for (size_t i = 0; i < calls_.size(); i++) {
    const OpRecord& record = recording_.ops[i];
    for (size_t k = 0; k < record.inputs.size(); k++)
      calls_[i].inputs[k].tensor.shape = actual(record.inputs[k].shape, rows, outputs);
    for (size_t k = 0; k < record.outputs.size(); k++)
      calls_[i].outputs[k].shape = actual(record.outputs[k].shape, rows, outputs);
  }
}

void Program::run(const std::atomic<bool>& stop) {
  for (size_t i = 0; i < calls_.size(); i++) {
    if (stop.load(std::memory_order_relaxed))
      throw Error(Code::Aborted, "the engine was stopped", calls_[i].path);
    run_op(i);
  }
  remember_drawn();
}

void Program::remember_drawn() {
  const int32_t* sequences = slot_data_[size_t(Slot::Sequences)];
  const int32_t* rows = slot_data_[size_t(Slot::Outputs)];
  for (const Call& call : calls_) {
    if (!is_sample(*call.op) || samplers_.empty()) continue;
    const int32_t* ids = call.out().as<int32_t>();
    for (int64_t i = 0; i < outputs_; i++)
      if (ids[i] >= 0) drawn_[size_t(sequences[rows[i]])] = ids[i];
  }
}

void Program::run_op(size_t index) {
  backend_->use_threads(recording_.threads);  // programs share the backend
  const Run run{scratch_ ? scratch_->data() : nullptr, samplers_};
  kernels_.at(index)->run(*backend_, calls_[index], run);
}

Tensor Program::value(size_t index) const {
  const Shape& shape = recording_.values.at(index);
  Tensor tensor{backend_->activation_type(), actual(shape, rows_, outputs_),
                arena_->data() + offsets_[index]};
  for (const OpRecord& record : recording_.ops)
    for (const Operand& output : record.outputs)
      if (output.kind == Operand::Kind::Value && size_t(output.value) == index)
        tensor.dtype = value_type(record, *backend_);
  return tensor;
}

}  // namespace exl
