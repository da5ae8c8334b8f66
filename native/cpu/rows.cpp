#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/backend.h"

namespace exl::cpu {

namespace {

// Elements below which another thread costs more than it saves.
constexpr int64_t kGrain = 1 << 14;

int64_t row_grain(int64_t columns) { return kGrain / std::max<int64_t>(columns, 1) + 1; }

void norm_rows(CpuBackend& cpu, int64_t rows, const Norm& norm) {
  cpu.split(rows, row_grain(norm.columns),
            [&](int64_t first, int64_t end) { cpu.target.norm(norm, first, end); });
}

}  // namespace

void embed(Backend&, const Call& call, const Run&) {
  const Tensor &tokens = call.in(0), &y = call.out();
  const int64_t hidden = y.columns();
  for (int64_t r = 0; r < y.rows(); r++) {
    const auto& table = *call.weight<FloatMatrix>(1);
    widen(table.data->data(), table.dtype, tokens.as<int32_t>()[r] * hidden, hidden,
          y.as<float>() + r * hidden);
  }
}

void gather_rows(Backend&, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &outputs = call.in(1), &y = call.out();
  const int64_t columns = y.columns();
  for (int64_t i = 0; i < y.rows(); i++)
    std::memcpy(y.as<float>() + i * columns, x.as<float>() + outputs.as<int32_t>()[i] * columns,
                size_t(columns) * sizeof(float));
}

// Norms of whole rows are vectors; those of heads may be matrices in the type of the file.
size_t rms_norm_scratch(const Backend&, const Call& call) {
  const auto* matrix = call.weight<FloatMatrix>(1);
  return matrix ? size_t(element_count(matrix->shape)) * sizeof(float) : 0;
}

void rms_norm(Backend& backend, const Call& call, const Run& run) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const Tensor &x = call.in(0), &y = call.out();
  const float* weight;
  int64_t heads = 1;
  if (const auto* matrix = call.weight<FloatMatrix>(1)) {
    heads = matrix->shape[0];
    auto* wide = reinterpret_cast<float*>(run.scratch);
    widen(matrix->data->data(), matrix->dtype, 0, element_count(matrix->shape), wide);
    weight = wide;
  } else {
    weight = call.weight<FloatVector>(1)->data->as<float>();
  }
  norm_rows(cpu, x.rows(),
            {.x = x.as<float>(),
             .weight = weight,
             .y = y.as<float>(),
             .columns = x.columns(),
             .heads = heads,
             .eps = float(call.attribute("eps")),
             .offset = float(call.attribute("offset"))});
}

void layer_norm(Backend& backend, const Call& call, const Run&) {
  const Tensor &x = call.in(0), &y = call.out();
  const auto* bias = call.weight<FloatVector>(2);
  norm_rows(static_cast<CpuBackend&>(backend), x.rows(),
            {.x = x.as<float>(),
             .weight = call.weight<FloatVector>(1)->data->as<float>(),
             .y = y.as<float>(),
             .columns = x.columns(),
             .heads = 1,
             .eps = float(call.attribute("eps")),
             .offset = 0,
             .bias = bias ? bias->data->as<float>() : nullptr,
             .centred = true});
}

void rope_angles(Backend&, const Call& call, const Run&) {
  const Tensor &positions = call.in(0), &y = call.out();
  const float* frequencies = call.weight<FloatVector>(1)->data->as<float>();
  const double scale = call.attribute("scale");
  const int64_t pairs = y.shape[1];
  // In double: an fp32 angle is off by up to 0.004 at position 100,000.
  for (int64_t r = 0; r < y.shape[0]; r++)
    for (int64_t i = 0; i < pairs; i++) {
      const double angle = positions.as<int32_t>()[r] * double(frequencies[i]);
      y.as<float>()[(r * pairs + i) * 2] = float(std::cos(angle) * scale);
      y.as<float>()[(r * pairs + i) * 2 + 1] = float(std::sin(angle) * scale);
    }
}

void rope(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const Tensor &x = call.in(0), &angles = call.in(1);
  const Rope rope{x.as<float>(),
                  angles.as<float>(),
                  call.out().as<float>(),
                  x.shape[1],
                  x.shape[2],
                  angles.shape[1],
                  call.attribute("interleaved") != 0};
  cpu.split(x.shape[0], row_grain(rope.heads * rope.dim),
            [&](int64_t first, int64_t end) { cpu.target.rope(rope, first, end); });
}

void add(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const float *a = call.in(0).as<float>(), *b = call.in(1).as<float>();
  float* y = call.out().as<float>();
  cpu.split(element_count(call.out().shape), kGrain, [&](int64_t first, int64_t end) {
    cpu.target.add(a + first, b + first, y + first, end - first);
  });
}

void silu_mul(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const float *gate = call.in(0).as<float>(), *up = call.in(1).as<float>();
  float* y = call.out().as<float>();
  cpu.split(element_count(call.out().shape), kGrain / 4, [&](int64_t first, int64_t end) {
    cpu.target.silu_mul(gate + first, up + first, y + first, end - first);
  });
}

}  // namespace exl::cpu
