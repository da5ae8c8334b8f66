// A recorded program, compiled: every op bound to a kernel and to addresses, activation memory
// planned once.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/host_value.h"
#include "core/recording.h"

namespace exl {

class Program {
 public:
  // Throws ShapeMismatch, UnsupportedOp, OutOfMemory.
  Program(std::shared_ptr<Backend> backend, Recording recording, const Allocator& allocate);

  // Checks the slots against each other, the cache and the vocabulary, and copies them in. Token -1
  // stands for the id last drawn in its sequence, so that a step may be queued before the one that
  // it continues has run. Throws InvalidArgument.
  void set_slots(const SlotValues& slots);

  // Runs every op; `stop` is looked at between ops. Throws Aborted.
  void run(const std::atomic<bool>& stop);
  void run_op(size_t index);

  size_t op_count() const { return calls_.size(); }

  // A value in its shape for the current step.
  HostValue read(size_t index) const;
  void write(size_t index, const std::vector<double>& values);
  const std::vector<int>& results() const { return recording_.results; }
  Backend& backend() const { return *backend_; }

 private:
  void plan(const Allocator& allocate);
  Call bind(const OpRecord& record) const;
  void* value_address(const Operand& operand) const;
  size_t run_from(size_t first);
  void run_calls(size_t first, size_t end);
  // program_device.cpp: what a device with memory of its own needs.
  void allocate_slots(const Allocator& allocate);
  void* slot_address(Slot slot) const;
  void bind_on_host(const Allocator& allocate);
  void send_slots();
  size_t run_recorded();
  Tensor value(size_t index) const;
  void resize(int64_t rows, int64_t outputs, int64_t sequences);
  void remember_drawn();
  // Any sequence may begin a page in the next step.
  void back_ahead();

  std::shared_ptr<Backend> backend_;
  Recording recording_;
  std::vector<Call> calls_;
  std::vector<const Kernel*> kernels_;
  std::vector<Dtype> types_;     // of each value
  std::vector<size_t> offsets_;  // of each value in the arena
  BufferPtr arena_, scratch_, slots_;
  std::array<int32_t*, kSlotCount> slot_data_{};  // where a step writes them

  // Of a backend with memory of its own.
  std::shared_ptr<DeviceMemory> memory_;
  std::unique_ptr<StepGraphs> graphs_;
  BufferPtr device_slots_;  // where kernels read them
  BufferPtr host_scratch_, host_values_;
  std::vector<std::byte*> on_host_;  // values in host memory; null for the others
  size_t first_on_host_ = SIZE_MAX;  // op

  std::array<int64_t, kSlotCount> slot_capacity_{};
  std::vector<std::shared_ptr<Sampler>> samplers_;
  std::vector<int32_t> drawn_;  // last id of each sequence, which token -1 stands for
  int64_t vocabulary_ = 0;      // rows of the embedding table; 0: the program embeds nothing
  int64_t rows_ = 0, outputs_ = 0, sequences_ = 0;
};

}  // namespace exl
