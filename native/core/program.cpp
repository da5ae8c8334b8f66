#include "core/program.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "core/lower.h"
#include "core/plan.h"

namespace exl {

namespace {

const Weight& first_weight(const OpRecord& record) {
  return *std::find_if(record.inputs.begin(), record.inputs.end(), [](const Operand& input) {
            return input.kind == Operand::Kind::Weight;
          })->weight;
}

}  // namespace

Program::Program(std::shared_ptr<Backend> backend, Recording recording, const Allocator& allocate)
    : backend_(std::move(backend)), recording_(std::move(recording)) {
  const Recording& r = recording_;
  const auto in_range = [](int64_t value) { return value >= 1 && value <= 1 << 20; };
  if (!in_range(r.max_rows) || !in_range(r.max_outputs) || !in_range(r.max_sequences))
    throw Error(Code::InvalidArgument, "a program needs 1 to 1048576 rows, outputs and sequences");

  for (const OpRecord& record : r.ops) check_record(record);
  if (r.lowered) lower(recording_, *backend_);

  slot_capacity_ = {
      r.max_rows,    r.max_rows,    r.max_rows,   r.max_sequences * r.pages_per_sequence,
      r.max_outputs, r.max_outputs, r.max_outputs};
  memory_ = backend_->memory();
  graphs_ = backend_->make_graphs();
  allocate_slots(allocate);
  drawn_.assign(size_t(r.max_sequences), 0);
  types_ = value_types(r, *backend_);
  plan(allocate);

  backend_->use_threads(r.threads);  // kernels ask for scratch memory per thread
  rows_ = r.max_rows, outputs_ = r.max_outputs, sequences_ = r.max_sequences;
  size_t scratch = 0, host_scratch = 0;
  for (const OpRecord& record : r.ops) {
    Call call = bind(record);
    const Kernel& kernel = backend_->select(call);
    size_t& needed = kernel.on_host ? host_scratch : scratch;
    if (kernel.scratch) needed = std::max(needed, kernel.scratch(*backend_, call));
    if (kernel.on_host) {
      first_on_host_ = std::min(first_on_host_, calls_.size());
      for (size_t k = 0; k < record.inputs.size(); k++)
        if (record.inputs[k].kind == Operand::Kind::Slot)
          call.inputs[k].tensor.data = slot_data_[size_t(record.inputs[k].slot)];
    }
    if (record.op->embeds) vocabulary_ = first_weight(record).shape[0];
    kernels_.push_back(&kernel);
    calls_.push_back(std::move(call));
  }
  if (scratch) scratch_ = allocate(scratch, Kind::Activations, "scratch");
  if (host_scratch) host_scratch_ = allocate.pinned(host_scratch, "scratch");
  bind_on_host(allocate);
}

Call Program::bind(const OpRecord& record) const {
  Call call = unbound_call(record, recording_, types_);
  const auto bind_tensor = [&](const Operand& operand, Tensor& tensor) {
    if (operand.kind == Operand::Kind::Slot) tensor.data = slot_address(operand.slot);
    if (operand.kind == Operand::Kind::Value) tensor.data = value_address(operand);
  };
  for (size_t i = 0; i < record.inputs.size(); i++)
    bind_tensor(record.inputs[i], call.inputs[i].tensor);
  for (size_t i = 0; i < record.outputs.size(); i++)
    bind_tensor(record.outputs[i], call.outputs[i]);
  return call;
}

void Program::plan(const Allocator& allocate) {
  const Recording& r = recording_;
  std::vector<Lifetime> lifetimes;
  for (const Shape& shape : r.values) {
    const int64_t elements = element_count(at_most(shape, r));
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

void* Program::value_address(const Operand& operand) const {
  const size_t value = size_t(operand.value);
  const Shape& stored = recording_.values.at(value);
  if (element_count(at_most(operand.shape, recording_)) !=
      element_count(at_most(stored, recording_)))
    throw Error(
        Code::ShapeMismatch,
        shape_text(operand.shape) + " does not have as many elements as " + shape_text(stored));
  return arena_->data() + offsets_[value];
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
  for (size_t i = run_recorded(); i < calls_.size();) {
    if (stop.load(std::memory_order_relaxed))
      throw Error(Code::Aborted, "the engine was stopped", calls_[i].path);
    i = run_from(i);
  }
  remember_drawn();
  if (recording_.cache && !memory_) back_ahead();
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
    if (!call.op->samples || samplers_.empty()) continue;
    const int32_t* ids = call.out().as<int32_t>();
    for (int64_t i = 0; i < outputs_; i++)
      if (ids[i] >= 0) drawn_[size_t(sequences[rows[i]])] = ids[i];
  }
}

void Program::run_op(size_t index) { run_calls(index, index + 1); }

// Runs an op, and those after it that can run with it; returns the first that is left.
size_t Program::run_from(size_t first) {
  const auto belongs = [&](size_t i) {
    return kernels_[i] == kernels_[first] && calls_[i].op == calls_[first].op &&
           calls_[i].kernel == calls_[first].kernel &&
           calls_[i].in(0).data == calls_[first].in(0).data;
  };
  size_t end = first + 1;
  while (kernels_[first]->run_group && end < calls_.size() && belongs(end)) end++;
  run_calls(first, end);
  return end;
}

void Program::run_calls(size_t first, size_t end) {
  backend_->use_threads(recording_.threads);  // programs share the backend
  const Kernel& kernel = *kernels_.at(first);
  const BufferPtr& scratch = kernel.on_host ? host_scratch_ : scratch_;
  const Run run{scratch ? scratch->data() : nullptr, samplers_};
  if (end - first > 1)
    kernel.run_group(*backend_, std::span(calls_).subspan(first, end - first), run);
  else
    kernel.run(*backend_, calls_[first], run);
}

Tensor Program::value(size_t index) const {
  const Shape& shape = recording_.values.at(index);
  return {types_[index], actual(shape, rows_, outputs_),
          on_host_[index] ? on_host_[index] : arena_->data() + offsets_[index]};
}

}  // namespace exl
