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
  memory_ = backend_->memory();
  graphs_ = backend_->make_graphs();
  allocate_slots(allocate);
  drawn_.assign(size_t(r.max_sequences), 0);
  plan(allocate);

  backend_->use_threads(r.threads);  // kernels ask for scratch memory per thread
  size_t scratch = 0, host_scratch = 0;
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
                          slot_address(input.slot)};
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
      call.outputs.push_back(bind_value(record.outputs[i]));
    }
    if (std::string_view(record.op->name) == "embed")
      vocabulary_ = record.inputs[1].weight->shape[0];

    const Kernel& kernel = backend_->select(call);
    size_t& needed = kernel.on_host ? host_scratch : scratch;
    if (kernel.scratch) needed = std::max(needed, kernel.scratch(*backend_, call));
    if (kernel.on_host) {
      first_on_host_ = std::min(first_on_host_, calls_.size());
      for (size_t k = 0; k < record.inputs.size(); k++)
        if (record.inputs[k].kind == Operand::Kind::Slot)
          call.inputs[k].tensor.data = slot_data_[size_t(record.inputs[k].slot)];
    }
    kernels_.push_back(&kernel);
    calls_.push_back(std::move(call));
  }
  if (scratch) scratch_ = allocate(scratch, Kind::Activations, "scratch");
  if (host_scratch) host_scratch_ = allocate.pinned(host_scratch, "scratch");
  bind_on_host(allocate);
}

void Program::plan(const Allocator& allocate) {
  const Recording& r = recording_;
  types_.assign(r.values.size(), backend_->activation_type());
  for (const OpRecord& record : r.ops)
    for (const Operand& output : record.outputs)
      if (output.kind == Operand::Kind::Value)
        types_.at(size_t(output.value)) = backend_->value_type(*record.op);
  std::vector<Lifetime> lifetimes;
  for (const Shape& shape : r.values) {
    const int64_t elements = element_count(actual(shape, r.max_rows, r.max_outputs));
    const Dtype type = types_[lifetimes.size()];
    lifetimes.push_back({size_t(elements) * dtype_size(type), SIZE_MAX, 0});
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
  const size_t value = size_t(operand.value);
  return {types_[value], shape, arena_->data() + offsets_[value]};
}

void Program::set_slots(const SlotValues& slots) {
  if (memory_) memory_->synchronize();  // a step that failed may still be reading them
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
  send_slots();
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
  for (size_t i = run_recorded(); i < calls_.size(); i++) {
    if (stop.load(std::memory_order_relaxed))
      throw Error(Code::Aborted, "the engine was stopped", calls_[i].path);
    run_op(i);
  }
  remember_drawn();
  if (recording_.cache) back_ahead();
}

void Program::back_ahead() {
  const auto slot = [&](Slot name) { return slot_data_[size_t(name)]; };
  const int64_t per_sequence = recording_.pages_per_sequence;
  const int32_t* pages = slot(Slot::Pages);
  int64_t written = 0, taken = 0;
  for (int64_t r = 0; r < rows_; r++) {
    const int64_t page = slot(Slot::Positions)[r] / kPageTokens;
    written = std::max<int64_t>(written, pages[slot(Slot::Sequences)[r] * per_sequence + page] + 1);
  }
  for (int64_t i = 0; i < sequences_ * per_sequence; i++)
    taken = std::max<int64_t>(taken, pages[i] + 1);
  exl::back_ahead(*recording_.cache, written, taken + sequences_);
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
  const Kernel& kernel = *kernels_.at(index);
  const BufferPtr& scratch = kernel.on_host ? host_scratch_ : scratch_;
  kernel.run(*backend_, calls_[index], {scratch ? scratch->data() : nullptr, samplers_});
}

Tensor Program::value(size_t index) const {
  const Shape& shape = recording_.values.at(index);
  return {types_[index], actual(shape, rows_, outputs_),
          on_host_[index] ? on_host_[index] : arena_->data() + offsets_[index]};
}

}  // namespace exl
