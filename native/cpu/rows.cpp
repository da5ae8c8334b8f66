#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/backend.h"
#include "ops/add.h"
#include "ops/embed.h"
#include "ops/gather_rows.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/silu_mul.h"

namespace exl::cpu {

namespace {

// Elements below which another thread costs more than it saves.
constexpr int64_t kGrain = 1 << 14;

int64_t row_grain(int64_t columns) { return kGrain / std::max<int64_t>(columns, 1) + 1; }

void norm_rows(CpuBackend& cpu, int64_t rows, const Norm& norm) {
  cpu.split(rows, row_grain(norm.columns),
            [&](int64_t first, int64_t end) { cpu.target.norm(norm, first, end); });
}

std::string embed_refuses(const Call& call) {
  return weight_as<FloatMatrix>(EmbedCall(call).table) ? "" : "the table is not a plain matrix";
}

void embed(Backend&, const Call& call, const Run&) {
  const EmbedCall op(call);
  const auto& table = *weight_as<FloatMatrix>(op.table);
  const int64_t hidden = op.y.columns();
  for (int64_t r = 0; r < op.y.rows(); r++)
    widen(table.data->data(), table.dtype, op.tokens.as<int32_t>()[r] * hidden, hidden,
          op.y.as<float>() + r * hidden);
}

void gather_rows(Backend&, const Call& call, const Run&) {
  const GatherRowsCall op(call);
  const int64_t columns = op.y.columns();
  for (int64_t i = 0; i < op.y.rows(); i++)
    std::memcpy(op.y.as<float>() + i * columns,
                op.x.as<float>() + op.outputs.as<int32_t>()[i] * columns,
                size_t(columns) * sizeof(float));
}

std::string rms_norm_refuses(const Call& call) {
  const RmsNormCall op(call);
  const bool plain = weight_as<FloatMatrix>(op.weight) || weight_as<FloatVector>(op.weight);
  return plain ? "" : "the weight is neither a plain vector nor a plain matrix";
}

// Norms of whole rows are vectors; those of heads may be matrices in the type of the file.
size_t rms_norm_scratch(const Backend&, const Call& call) {
  const auto* matrix = weight_as<FloatMatrix>(RmsNormCall(call).weight);
  return matrix ? size_t(element_count(matrix->shape)) * sizeof(float) : 0;
}

void rms_norm(Backend& backend, const Call& call, const Run& run) {
  const RmsNormCall op(call);
  const float* weight;
  int64_t heads = 1;
  if (const auto* matrix = weight_as<FloatMatrix>(op.weight)) {
    heads = matrix->shape[0];
    auto* wide = reinterpret_cast<float*>(run.scratch);
    widen(matrix->data->data(), matrix->dtype, 0, element_count(matrix->shape), wide);
    weight = wide;
  } else {
    weight = weight_as<FloatVector>(op.weight)->data->as<float>();
  }
  norm_rows(static_cast<CpuBackend&>(backend), op.x.rows(),
            {.x = op.x.as<float>(),
             .weight = weight,
             .y = op.y.as<float>(),
             .columns = op.x.columns(),
             .heads = heads,
             .eps = float(op.eps),
             .offset = float(op.offset)});
}

std::string layer_norm_refuses(const Call& call) {
  const LayerNormCall op(call);
  if (!weight_as<FloatVector>(op.weight)) return "the weight is not a plain vector";
  return op.bias && !weight_as<FloatVector>(op.bias) ? "the bias is not a plain vector" : "";
}

void layer_norm(Backend& backend, const Call& call, const Run&) {
  const LayerNormCall op(call);
  const auto* bias = weight_as<FloatVector>(op.bias);
  norm_rows(static_cast<CpuBackend&>(backend), op.x.rows(),
            {.x = op.x.as<float>(),
             .weight = weight_as<FloatVector>(op.weight)->data->as<float>(),
             .y = op.y.as<float>(),
             .columns = op.x.columns(),
             .heads = 1,
             .eps = float(op.eps),
             .offset = 0,
             .bias = bias ? bias->data->as<float>() : nullptr,
             .centred = true});
}

std::string rope_angles_refuses(const Call& call) {
  const auto* frequencies = weight_as<FloatVector>(RopeAnglesCall(call).frequencies);
  return frequencies ? "" : "the frequencies are not a plain vector";
}

void rope_angles(Backend&, const Call& call, const Run&) {
  const RopeAnglesCall op(call);
  const float* frequencies = weight_as<FloatVector>(op.frequencies)->data->as<float>();
  auto* y = op.y.as<float>();
  const int64_t pairs = op.y.shape[1];
  // In double: an fp32 angle is off by up to 0.004 at position 100,000.
  for (int64_t r = 0; r < op.y.shape[0]; r++)
    for (int64_t i = 0; i < pairs; i++) {
      const double angle = op.positions.as<int32_t>()[r] * double(frequencies[i]);
      y[(r * pairs + i) * 2] = float(std::cos(angle) * op.scale);
      y[(r * pairs + i) * 2 + 1] = float(std::sin(angle) * op.scale);
    }
}

void rope(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const RopeCall op(call);
  const Rope rope{op.x.as<float>(), op.angles.as<float>(), op.y.as<float>(), op.x.shape[1],
                  op.x.shape[2],    op.angles.shape[1],    op.interleaved};
  cpu.split(op.x.shape[0], row_grain(rope.heads * rope.dim),
            [&](int64_t first, int64_t end) { cpu.target.rope(rope, first, end); });
}

void add(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const AddCall op(call);
  const float *a = op.a.as<float>(), *b = op.b.as<float>();
  auto* y = op.y.as<float>();
  cpu.split(element_count(op.y.shape), kGrain, [&](int64_t first, int64_t end) {
    cpu.target.add(a + first, b + first, y + first, end - first);
  });
}

void silu_mul(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const SiluMulCall op(call);
  const float *gate = op.gate.as<float>(), *up = op.up.as<float>();
  auto* y = op.y.as<float>();
  cpu.split(element_count(op.y.shape), kGrain / 4, [&](int64_t first, int64_t end) {
    cpu.target.silu_mul(gate + first, up + first, y + first, end - first);
  });
}

constexpr Kernel kKernels[] = {
    {.op = &ops::embed, .name = "cpu", .refuses = embed_refuses, .run = embed},
    {.op = &ops::gather_rows, .name = "cpu", .run = gather_rows},
    {.op = &ops::rms_norm,
     .name = "cpu",
     .refuses = rms_norm_refuses,
     .scratch = rms_norm_scratch,
     .run = rms_norm},
    {.op = &ops::layer_norm, .name = "cpu", .refuses = layer_norm_refuses, .run = layer_norm},
    {.op = &ops::rope_angles, .name = "cpu", .refuses = rope_angles_refuses, .run = rope_angles},
    {.op = &ops::rope, .name = "cpu", .run = rope},
    {.op = &ops::add, .name = "cpu", .run = add},
    {.op = &ops::silu_mul, .name = "cpu", .run = silu_mul},
};

}  // namespace

constinit const Kernels row_kernels = kKernels;

}  // namespace exl::cpu
