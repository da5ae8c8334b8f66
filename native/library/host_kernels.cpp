#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/float16.h"
#include "library/backend.h"
#include "ops/sample.h"
#include "sampling/step.h"

namespace exl {

namespace {

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
  return size_t(Fetched(nullptr, TokenLogProbCall(call).logits).rest -
                static_cast<std::byte*>(nullptr));
}

// Of `count` rows from `first` on.
float* fetch(DeviceMemory& memory, const Tensor& logits, int64_t first, int64_t count,
             std::byte* scratch) {
  Tensor rows = logits;
  rows.shape = {count, logits.columns()};
  const size_t elements = size_t(element_count(rows.shape)), size = dtype_size(logits.dtype);
  const Fetched fetched(scratch, rows);
  if (elements) {
    const std::byte* from = logits.as<std::byte>() + size_t(first * logits.columns()) * size;
    memory.download(fetched.raw, from, elements * size);
  }
  memory.synchronize();
  if (logits.dtype == Dtype::F32) return fetched.logits;
  const auto* halves = reinterpret_cast<const uint16_t*>(fetched.raw);
  for (size_t i = 0; i < elements; i++)
    fetched.logits[i] =
        logits.dtype == Dtype::F16 ? half_to_float(halves[i]) : bfloat_to_float(halves[i]);
  return fetched.logits;
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

int64_t vocabulary_of(const SampleCall<Call>& op) {
  return std::min(op.logits.columns(), op.vocabulary);
}

// Where sampling keeps what it fetches: two rows of logits, since a place has two outputs at most
// and needs both at once, and the largest of all rows.
struct SampleScratch {
  std::byte *rows[2], *largest, *largest_ids, *sampler, *end;

  SampleScratch(std::byte* base, const SampleCall<Call>& op) {
    Tensor row = op.logits;
    row.shape = {1, row.columns()};
    rows[0] = base;
    rows[1] = Fetched(rows[0], row).rest;
    largest = Fetched(rows[1], row).rest;
    largest_ids = largest + bytes(op.largest);
    sampler = largest_ids + bytes(op.largest_ids);
    end = sampler + Sampler::scratch_bytes(vocabulary_of(op));
  }

  static size_t bytes(const Tensor& tensor) {
    if (tensor.shape.empty()) return 0;
    return padded(size_t(element_count(tensor.shape)) * dtype_size(tensor.dtype));
  }
};

size_t sample_scratch(const Backend&, const Call& call) {
  return size_t(SampleScratch(nullptr, SampleCall(call)).end - static_cast<std::byte*>(nullptr));
}

// One draw after another: the sampling of a draw is short beside the step it ends.
void sample(Backend& backend, const Call& call, const Run& run) {
  DeviceMemory& memory = *static_cast<LibraryBackend&>(backend).device;
  const SampleCall op(call);
  const SampleScratch scratch(run.scratch, op);
  std::vector<int32_t> ids(run.samplers.size());
  const DrawStep step{run.samplers, op.tokens.as<int32_t>(), op.outputs.as<int32_t>(), ids.data()};
  size_t first_of_group = 0;
  DrawLogits logits{[&](size_t i) {
    return fetch(memory, op.logits, int64_t(i), 1, scratch.rows[(i - first_of_group) % 2]);
  }};
  if (!op.largest.shape.empty() && !ids.empty()) {
    const auto download = [&](const Tensor& from, std::byte* to) {
      memory.download(to, from.data, size_t(element_count(from.shape)) * dtype_size(from.dtype));
    };
    download(op.largest, scratch.largest);
    download(op.largest_ids, scratch.largest_ids);
    memory.synchronize();
    logits.largest = [&](size_t i) -> Largest {
      const int64_t count = op.largest.columns();
      return {reinterpret_cast<const float*>(scratch.largest) + int64_t(i) * count,
              reinterpret_cast<const int32_t*>(scratch.largest_ids) + int64_t(i) * count, count};
    };
  }
  for (const size_t first : draw_groups(step)) {
    first_of_group = first;
    draw_group(step, first, vocabulary_of(op), scratch.sampler, logits);
  }
  for (size_t i = 0; i < ids.size(); i++) put(memory, call, int64_t(i), &ids[i]);
}

void token_log_prob(Backend& backend, const Call& call, const Run& run) {
  DeviceMemory& memory = *static_cast<LibraryBackend&>(backend).device;
  const TokenLogProbCall op(call);
  const Tensor& logits = op.logits;
  const int64_t rows = logits.rows(), vocabulary = std::min(logits.columns(), op.vocabulary);
  const int32_t* targets = op.targets.as<int32_t>();
  const float* fetched = fetch(memory, logits, 0, rows, run.scratch);
  for (int64_t r = 0; r < rows; r++) {
    const float* row = fetched + r * logits.columns();
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

constexpr Kernel kKernels[] = {
    {.op = &ops::sample, .name = "host", .scratch = sample_scratch, .run = sample, .on_host = true},
    {.op = &ops::token_log_prob,
     .name = "host",
     .scratch = logits_scratch,
     .run = token_log_prob,
     .on_host = true},
};

}  // namespace

constinit const Kernels host_kernels = kKernels;

}  // namespace exl
