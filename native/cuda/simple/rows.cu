#include "cuda/simple/array.cuh"

namespace exl::cuda::simple {

namespace {

__global__ void embed_kernel(const Embed a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.columns) return;
  put(a.y, i, get(a.table, a.tokens[i / a.columns] * a.columns + i % a.columns));
}

__global__ void gather_rows_kernel(const GatherRows a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.columns) return;
  put(a.y, i, get(a.x, a.outputs[i / a.columns] * a.columns + i % a.columns));
}

__global__ void add_kernel(const Pairwise a) {
  ptx::begin();
  const int64_t i = thread();
  if (i < a.count) put(a.y, i, get(a.a, i) + get(a.b, i));
}

__global__ void silu_mul_kernel(const Pairwise a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.count) return;
  const float gate = get(a.a, i);
  put(a.y, i, gate / (1 + expf(-gate)) * get(a.b, i));
}

__global__ void norm_kernel(const Norm a) {
  ptx::begin();
  const int64_t row = thread();
  if (row >= a.rows) return;
  const int64_t first = row * a.columns, weight = row % a.weight_rows * a.columns;
  float mean = 0, squares = 0;
  if (a.centred)
    for (int64_t c = 0; c < a.columns; c++) mean += get(a.x, first + c) / float(a.columns);
  for (int64_t c = 0; c < a.columns; c++) {
    const float x = get(a.x, first + c) - mean;
    squares += x * x;
  }
  const float scale = 1 / sqrtf(squares / float(a.columns) + a.eps);
  for (int64_t c = 0; c < a.columns; c++)
    put(a.y, first + c,
        (get(a.x, first + c) - mean) * scale * (get(a.weight, weight + c) + a.offset) +
            (a.bias.data ? get(a.bias, c) : 0));
}

// In double: an fp32 angle is off by up to 0.004 at position 100,000.
__global__ void rope_angles_kernel(const RopeAngles a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.pairs) return;
  const double angle = a.positions[i / a.pairs] * double(get(a.frequencies, i % a.pairs));
  put(a.y, 2 * i, float(cos(angle) * a.scale));
  put(a.y, 2 * i + 1, float(sin(angle) * a.scale));
}

__global__ void rope_kernel(const Rope a) {
  ptx::begin();
  const int64_t i = thread();
  if (i >= a.rows * a.heads * a.dim) return;
  const int64_t row = i / (a.heads * a.dim), c = i % a.dim, head = i - c;
  const int64_t pair = a.interleaved ? c / 2 : c % a.pairs;
  if (c >= 2 * a.pairs) return put(a.y, i, get(a.x, i));
  const int64_t first = a.interleaved ? 2 * pair : pair;
  const int64_t second = a.interleaved ? first + 1 : first + a.pairs;
  const float cosine = get(a.angles, 2 * (row * a.pairs + pair));
  const float sine = get(a.angles, 2 * (row * a.pairs + pair) + 1);
  const float x = get(a.x, head + first), y = get(a.x, head + second);
  put(a.y, i, c == first ? x * cosine - y * sine : y * cosine + x * sine);
}

}  // namespace

void embed(Stream stream, const Embed& a) {
  launch_each(embed_kernel, stream, a.rows * a.columns, a);
}
void gather_rows(Stream stream, const GatherRows& a) {
  launch_each(gather_rows_kernel, stream, a.rows * a.columns, a);
}
void add(Stream stream, const Pairwise& a) { launch_each(add_kernel, stream, a.count, a); }
void silu_mul(Stream stream, const Pairwise& a) {
  launch_each(silu_mul_kernel, stream, a.count, a);
}
void norm(Stream stream, const Norm& a) { launch_each(norm_kernel, stream, a.rows, a); }
void rope_angles(Stream stream, const RopeAngles& a) {
  launch_each(rope_angles_kernel, stream, a.rows * a.pairs, a);
}
void rope(Stream stream, const Rope& a) {
  launch_each(rope_kernel, stream, a.rows * a.heads * a.dim, a);
}

}  // namespace exl::cuda::simple
