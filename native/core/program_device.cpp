// The parts of a program that differ where the device has memory of its own: slots and results
// travel, the device's launches are recorded, and some ops run on the host.
#include <algorithm>

#include "core/program.h"

namespace exl {

namespace {

// Steps of more rows keep a device busy long enough to launch the next op meanwhile.
constexpr int64_t kMostRecordedRows = 32;

}  // namespace

void Program::allocate_slots(const Allocator& allocate) {
  size_t total = 0;
  for (const int64_t count : slot_capacity_) total += size_t(count) * sizeof(int32_t);
  slots_ = allocate.pinned(total, "slots");
  if (memory_) device_slots_ = allocate.device_staging(total, "slots");
  int32_t* next = slots_->as<int32_t>();
  for (int i = 0; i < kSlotCount; i++) {
    slot_data_[size_t(i)] = next;
    next += slot_capacity_[size_t(i)];
  }
}

// Where kernels read a slot.
void* Program::slot_address(Slot slot) const {
  int32_t* on_host = slot_data_[size_t(slot)];
  if (!memory_) return on_host;
  return device_slots_->as<int32_t>() + (on_host - slots_->as<int32_t>());
}

void Program::send_slots() {
  if (memory_) memory_->upload(device_slots_->data(), slots_->data(), slots_->size());
}

// Gives what ops on the host compute a place there.
void Program::bind_on_host(const Allocator& allocate) {
  on_host_.assign(recording_.values.size(), nullptr);
  if (first_on_host_ == SIZE_MAX) return;
  const auto each_output = [&](const auto& run) {
    for (size_t i = first_on_host_; i < calls_.size(); i++)
      for (size_t k = 0; kernels_[i]->on_host && k < calls_[i].outputs.size(); k++)
        if (recording_.ops[i].outputs[k].kind == Operand::Kind::Value)
          run(calls_[i], calls_[i].outputs[k], size_t(recording_.ops[i].outputs[k].value));
  };
  const auto bytes_of = [](const Tensor& tensor) {
    return (size_t(element_count(tensor.shape)) * dtype_size(tensor.dtype) + 63) / 64 * 64;
  };
  size_t total = 0;
  each_output([&](Call&, const Tensor& output, size_t) { total += bytes_of(output); });
  if (total) host_values_ = allocate.pinned(total, "values");
  std::byte* next = total ? host_values_->data() : nullptr;
  each_output([&](Call& call, Tensor& output, size_t value) {
    call.output_on_host = true;
    output.data = on_host_[value] = next;
    next += bytes_of(output);
  });
}

// Runs the ops that a graph stands for; returns the first that is left.
size_t Program::run_recorded() {
  if (!graphs_ || rows_ > kMostRecordedRows) return 0;
  const size_t end = std::min(first_on_host_, calls_.size());
  graphs_->run({rows_, outputs_, sequences_}, [&] {
    for (size_t i = 0; i < end;) i = run_from(i);
  });
  return end;
}

HostValue Program::read(size_t index) const {
  const Tensor tensor = value(index);
  return read_value(tensor, on_host_[index] ? nullptr : memory_.get());
}

void Program::write(size_t index, const std::vector<double>& values) {
  if (memory_) memory_->synchronize();  // an op may still be reading it
  write_value(value(index), values, on_host_.at(index) ? nullptr : memory_.get());
}

}  // namespace exl
