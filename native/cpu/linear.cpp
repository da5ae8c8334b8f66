#include "ops/linear.h"

#include <algorithm>

#include "cpu/backend.h"

namespace exl::cpu {

namespace {

const float* bias_of(const LinearCall<Call>& op) {
  const auto* bias = weight_as<FloatVector>(op.bias);
  return bias ? bias->data->as<float>() : nullptr;
}

std::string bias_objection(const LinearCall<Call>& op) {
  return op.bias && !weight_as<FloatVector>(op.bias) ? "the bias is not a plain vector" : "";
}

// Multiply-adds below which another thread costs more than it saves: some microseconds of work.
constexpr int64_t kGrain = 1 << 18;
// The same in activations to quantise.
constexpr int64_t kQuantiseGrain = 1 << 12;
// Tiles that a range is a multiple of, so that it ends where the blocks of every target do.
constexpr int64_t kTileBlock = 2;

// Places the quantised activations in scratch memory; on nullptr, only counts `bytes`.
QuantRows quant_rows(std::byte* scratch, int64_t rows, const PackedMatrix& weight, size_t& bytes) {
  const auto take = [&](int64_t count) {
    std::byte* place = scratch + bytes;
    bytes += (size_t(count) + 63) / 64 * 64;
    return place;
  };
  bytes = 0;
  const int64_t spans = rows * weight.spans;
  QuantRows result{rows, weight.chunks, weight.spans, nullptr, nullptr, nullptr, nullptr};
  result.words = take(rows * weight.chunks * kChunk * 2);
  result.steps = reinterpret_cast<float*>(take(spans * 4));
  result.sums = reinterpret_cast<int32_t*>(take(spans * 4));
  result.pairs = reinterpret_cast<int32_t*>(take(spans * 4));
  return result;
}

std::string quant_linear_refuses(const Call& call) {
  const LinearCall op(call);
  if (!weight_as<PackedMatrix>(op.weight)) return "the weight is not quantised";
  return bias_objection(op);
}

size_t quant_linear_scratch(const Backend&, const Call& call) {
  const LinearCall op(call);
  size_t bytes;
  quant_rows(nullptr, op.x.rows(), *weight_as<PackedMatrix>(op.weight), bytes);
  return bytes;
}

void quant_linear(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const LinearCall op(call);
  const auto& weight = *weight_as<PackedMatrix>(op.weight);
  const Tensor &x = op.x, &y = op.y;
  const int64_t rows = x.rows(), groups = int64_t(weight.groups.size());
  if (rows == 0) return;
  size_t bytes;
  const QuantRows quantised = quant_rows(run.scratch, rows, weight, bytes);

  const Quantise quantise{x.as<float>(), weight.features ? weight.features->as<int32_t>() : nullptr,
                          x.columns(),   weight.groups.data(),
                          groups,        quantised};
  // By spans, not rows: rows lie together in memory, where threads would get into each other's way.
  cpu.split(weight.spans, kQuantiseGrain / (rows * kSpan * kChunk),
            [&](int64_t first, int64_t end) { cpu.target.quantise(quantise, first, end); });

  const QuantLinear linear{weight.codes->data(),
                           weight.tile_bytes,
                           weight.groups.data(),
                           groups,
                           weight.scales->as<uint16_t>(),
                           weight.zeros ? weight.zeros->as<uint8_t>() : nullptr,
                           quantised,
                           y.columns(),
                           bias_of(op),
                           y.as<float>()};
  const int64_t tiles = weight.tiles();
  const int64_t per_block = rows * weight.chunks * kChunk * kTile * kTileBlock;
  cpu.split((tiles + kTileBlock - 1) / kTileBlock, kGrain / per_block + 1,
            [&](int64_t first, int64_t end) {
              cpu.target.quant_linear(linear, first * kTileBlock,
                                      std::min(end * kTileBlock, tiles));
            },
            4);
}

std::string float_linear_refuses(const Call& call) {
  const LinearCall op(call);
  if (!weight_as<FloatMatrix>(op.weight)) return "the weight is not a plain matrix";
  return bias_objection(op);
}

void float_linear(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const LinearCall op(call);
  const auto& weight = *weight_as<FloatMatrix>(op.weight);
  const FloatType type = weight.dtype == Dtype::F32   ? FloatType::F32
                         : weight.dtype == Dtype::F16 ? FloatType::F16
                                                      : FloatType::BF16;
  const FloatLinear linear{type,           weight.data->data(), op.x.as<float>(),
                           bias_of(op),    op.y.as<float>(),    op.x.rows(),
                           op.x.columns(), op.y.columns()};
  cpu.split(linear.out, kGrain / std::max<int64_t>(linear.rows * linear.in, 1) + 1,
            [&](int64_t first, int64_t end) { cpu.target.float_linear(linear, first, end); });
}

constexpr Kernel kKernels[] = {
    {.op = &ops::linear,
     .name = "cpu quantised",
     .refuses = quant_linear_refuses,
     .scratch = quant_linear_scratch,
     .run = quant_linear},
    {.op = &ops::linear, .name = "cpu float", .refuses = float_linear_refuses, .run = float_linear},
};

}  // namespace

constinit const Kernels linear_kernels = kKernels;

}  // namespace exl::cpu
