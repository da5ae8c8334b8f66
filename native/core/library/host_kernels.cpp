#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/float16.h"
#include "core/library/backend.h"
#include "sampling/step.h"

namespace exl {

namespace {

int64_t vocabulary_of(const Call& call) {
  return std::min(call.in(0).columns(), int64_t(call.attribute("vocabulary")));
}

size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Host memory for the logits as they come, then as fp32, then whatever else.
struct Fetched {
  std::byte* raw;
  float* logits;
  std::byte* rest;

  Fetched(std::byte* base, const Tensor& tensor) {
    const size_t count = size_t(element_count(tensor.shape));
    const bool is_fp32 = tensor.dtype == Dtype::F32;
    raw = base;
    std::byte* wide = is_fp32 ? raw : raw + padded(count * dtype_size(tensor.dtype));
    logits = reinterpret_cast<float*>(wide);
    rest = wide + padded(count * sizeof(float));
  }
};

size_t logits_scratch(const Backend&, const Call& call) {
  return size_t(Fetched(nullptr, call.in(0)).rest - static_cast<std::byte*>(nullptr));
}

size_t sample_scratch(const Backend& backend, const Call& call) {
  return logits_scratch(backend, call) + Sampler::scratch_bytes(vocabulary_of(call));
}

Fetched fetch(DeviceMemory& memory, const Tensor& logits, std::byte* scratch) {
  const Fetched fetched(scratch, logits);
  const size_t count = size_t(element_count(logits.shape));
  if (count) memory.download(fetched.raw, logits.data, count * dtype_size(logits.dtype));
  memory.synchronize();
  if (logits.dtype == Dtype::F32) return fetched;
  const auto* halves = reinterpret_cast<const uint16_t*>(fetched.raw);
  for (size_t i = 0; i < count; i++)
    fetched.logits[i] =
        logits.dtype == Dtype::F16 ? half_to_float(halves[i]) : bfloat_to_float(halves[i]);
  return fetched;
}

// The output is here unless it is a tensor of the user.
void put(DeviceMemory& memory, const Call& call, int64_t index, const void* value) {
  const size_t size = dtype_size(call.out().dtype);
  std::byte* to = call.out().as<std::byte>() + size_t(index) * size;
  if (call.output_on_host)
    std::memcpy(to, value, size);
  else
    memory.write(to, value, size);
}

// One draw after another: the sampling of a draw is short beside the step it ends.
void sample(Backend& backend, const Call& call, const Run& run) {
  DeviceMemory& memory = *static_cast<LibraryBackend&>(backend).device;
  const Fetched fetched = fetch(memory, call.in(0), run.scratch);
  std::vector<int32_t> ids(run.samplers.size());
  const DrawStep step{run.samplers, call.in(2).as<int32_t>(), call.in(3).as<int32_t>(), ids.data()};
  for (const size_t first : draw_groups(step))
    draw_group(step, first, vocabulary_of(call), fetched.rest,
               [&](size_t i) { return fetched.logits + int64_t(i) * call.in(0).columns(); });
  for (size_t i = 0; i < ids.size(); i++) put(memory, call, int64_t(i), &ids[i]);
}

void token_log_prob(Backend& backend, const Call& call, const Run& run) {
  DeviceMemory& memory = *static_cast<LibraryBackend&>(backend).device;
  const Tensor& logits = call.in(0);
  const int64_t rows = logits.rows(), vocabulary = vocabulary_of(call);
  const int32_t* targets = call.in(1).as<int32_t>();
  const Fetched fetched = fetch(memory, logits, run.scratch);
  for (int64_t r = 0; r < rows; r++) {
    const float* row = fetched.logits + r * logits.columns();
    const float most = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (int64_t n = 0; n < vocabulary; n++) sum += double(std::exp(row[n] - most));
    const float y = float(double(row[targets[r]] - most) - std::log(sum));
    const uint16_t half = float_to_half(y);
    if (call.out().dtype == Dtype::F32)
      put(memory, call, r, &y);
    else
      put(memory, call, r, &half);
  }
}

constexpr std::array kKernels = {
    Kernel{"sample", "host", nullptr, sample_scratch, sample, true},
    Kernel{"token_log_prob", "host", nullptr, logits_scratch, token_log_prob, true},
};

}  // namespace

std::span<const Kernel> host_kernels() { return kKernels; }

}  // namespace exl
