// Every launcher of native/cuda/kernels/kernels.h on the layers of models of 1, 8 and 70 billion
// parameters: seconds, and bytes per second against what the same card reads at best in the same
// run. Weights are rotated, so that none is found in the cache. One line of JSON for each, as soon
// as it is known.
//
//   node bench/gpu/kernels.mjs builds and runs it:  kernels [--seconds N] [--no-overlap] [--quick]
#include <cuda_fp16.h>

#include <cstring>

#include "cuda/kernels/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/quant_layout.h"
#include "timing.cuh"

namespace exl::bench {

namespace {

using namespace exl::cuda;

struct Model {
  const char* name;
  int hidden, intermediate, heads, key_heads, dim, vocabulary;
};
// Llama 3.2 1B, Llama 3 8B and 70B.
constexpr Model kModels[] = {{"1b", 2048, 8192, 32, 8, 64, 128256},
                             {"8b", 4096, 14336, 32, 8, 128, 128256},
                             {"70b", 8192, 28672, 64, 8, 128, 128256}};

// More than twice the largest L2, that of an RTX PRO 6000.
constexpr size_t kRotatedBytes = size_t(384) << 20;

double best = 0;      // bytes per second
double seconds = 0;   // that may be spent; 0: all that is needed
bool quick = false;   // little of everything
int block_bytes = 0;  // of shared memory that a block may have
const auto started = std::chrono::steady_clock::now();
int left_out = 0;

bool time_is_up() {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - started;
  return seconds > 0 && spent.count() > seconds;
}

struct Name {
  const char* launcher;
  const char* model;
  std::string what;
  int64_t rows;
};

void measure(const Name& name, double bytes, int count,
             const std::function<void(cudaStream_t, int)>& launch) {
  const double each = seconds_each(count, launch);
  std::printf(
      "{\"launcher\": \"%s\", \"model\": \"%s\", \"what\": \"%s\", \"rows\": %lld, "
      "\"microseconds\": %.3f, \"gigabytesPerSecond\": %.1f, \"ofRead\": %.4f}\n",
      name.launcher, name.model, name.what.c_str(), static_cast<long long>(name.rows), each * 1e6,
      bytes / each / 1e9, bytes / each / best);
  std::fflush(stdout);
}

// How many copies of `bytes` are rotated.
int copies_of(double bytes) {
  return int(std::clamp(double(kRotatedBytes) / bytes, 2.0, 64.0)) + 1;
}

using Groups = std::vector<std::pair<int, int64_t>>;

// EXL2 of these widths, from wide to narrow, as its converter orders them.
Groups groups_of(int in, const std::vector<int>& widths) {
  Groups groups;
  for (int row = 0; row < in; row += 128)
    groups.push_back({widths[size_t(row) * widths.size() / size_t(in)], std::min(128, in - row)});
  return groups;
}

struct Shape {
  const char* layer;
  std::vector<int> outs;  // layers of one input
  int in;
};

void quant(const Model& model, const Shape& shape, const char* format,
           const std::vector<int>& widths, bool zeros, const std::vector<int64_t>& row_counts) {
  const Groups groups = groups_of(shape.in, widths);
  const QuantLayout layout = plan_quant_layout(groups);
  std::vector<uint16_t> order;
  for (int i = 0; i < shape.in; i++) order.push_back(uint16_t(int64_t(i) * 7919 % shape.in));
  double bytes = 0;
  for (const int out : shape.outs)
    bytes += double(out + 31) / 32 * (double(layout.words_per_strip) * 4 + double(groups.size()) * 64);
  const int copies = copies_of(bytes);
  const int64_t most = *std::max_element(row_counts.begin(), row_counts.end());
  Arena arena;
  const auto* chunks = arena.copy(layout.chunks);
  const auto* permutation = zeros ? nullptr : arena.copy(order);
  auto* x = arena.halves<Half>(size_t(most) * size_t(shape.in));
  std::vector<std::vector<QuantLinearParams>> all;
  for (int i = 0; i < copies; i++) {
    auto& layers = all.emplace_back();
    for (const int out : shape.outs) {
      const size_t strips = size_t(out + 31) / 32, scales = strips * groups.size() * 32;
      QuantWeight weight{arena.words<uint32_t>(strips * size_t(layout.words_per_strip)),
                         arena.halves<Half>(scales),
                         zeros ? arena.words<uint8_t>(scales) : nullptr,
                         chunks,
                         permutation,
                         shape.in,
                         out,
                         int(groups.size()),
                         layout.max_bits,
                         layout.words_per_strip,
                         block_bytes};
      layers.push_back({weight, {.x = x, .y = nullptr, .rows = most}});
    }
  }
  for (auto& layers : all)
    for (size_t i = 0; i < layers.size(); i++) {
      const bool is_first = &layers == &all.front();
      const size_t count = size_t(most) * size_t(shape.outs[i]);
      layers[i].rows.y = is_first ? arena.halves<Half>(count) : all.front()[i].rows.y;
      layers[i].permuted = is_first ? arena.halves<Half>(size_t(most) * size_t(shape.in))
                                    : all.front()[i].permuted;
    }
  for (const int64_t rows : row_counts) {
    for (auto& layers : all)
      for (auto& layer : layers) layer.rows.rows = rows;
    measure({"quant_linear", model.name, std::string(shape.layer) + " " + format, rows}, bytes,
            copies, [&](cudaStream_t stream, int i) { quant_linear(stream, all[size_t(i)]); });
  }
}

void half_layer(const Model& model, const Shape& shape, const std::vector<int64_t>& row_counts) {
  const int out = shape.outs[0];
  const double bytes = 2.0 * shape.in * out;
  const int copies = copies_of(bytes);
  const int64_t most = *std::max_element(row_counts.begin(), row_counts.end());
  Arena arena;
  auto* x = arena.halves<Half>(size_t(most) * size_t(shape.in));
  auto* y = arena.halves<Half>(size_t(most) * size_t(out));
  std::vector<HalfLinearParams> all;
  for (int i = 0; i < copies; i++)
    all.push_back({arena.halves<Half>(size_t(shape.in) * size_t(out)), shape.in, out,
                   {.x = x, .y = y, .rows = most}});
  for (const int64_t rows : row_counts) {
    for (auto& layer : all) layer.rows.rows = rows;
    measure({"half_linear", model.name, shape.layer, rows}, bytes, copies,
            [&](cudaStream_t stream, int i) { half_linear(stream, {&all[size_t(i)], 1}); });
  }
}

void linear(const Model& m) {
  const int kv = m.key_heads * m.dim;
  const Shape shapes[] = {{"q, k, v", {m.heads * m.dim, kv, kv}, m.hidden},
                          {"o", {m.hidden}, m.heads * m.dim},
                          {"gate, up", {m.intermediate, m.intermediate}, m.hidden},
                          {"down", {m.hidden}, m.intermediate}};
  const std::vector<int64_t> few = quick ? std::vector<int64_t>{1} : std::vector<int64_t>{1, 4, 16},
                             all = quick ? few : std::vector<int64_t>{1, 4, 16, 17, 64, 256, 1024};
  const auto in_time = [](const std::function<void()>& body) {
    time_is_up() ? void(left_out++) : body();
  };
  for (const Shape& shape : shapes) {
    in_time([&] { quant(m, shape, "exl2 4", {4}, false, all); });
    in_time([&] { quant(m, shape, "exl2 6, 4, 3", {6, 4, 3}, false, few); });
    in_time([&] { quant(m, shape, "gptq 4", {4}, true, few); });
  }
  const Shape head{"head", {m.vocabulary}, m.hidden};
  in_time([&] { quant(m, head, "exl2 6", {6}, false, few); });
  in_time([&] { half_layer(m, head, few); });
}

void attention(const Model& m) {
  constexpr CacheCode kCodes[] = {CacheCode::F16, CacheCode::E5M2, CacheCode::Int8, CacheCode::Int4};
  constexpr const char* kNames[] = {"f16", "e5m2", "int8", "int4"};
  constexpr double kBytes[] = {2, 1, 1 + 2.0 / 32, 0.5 + 2.0 / 32};
  for (int code = 0; code < 4; code++)
    for (const int tokens : {1024, 8192, 32768}) {
      if (time_is_up() || (quick && (code || tokens > 1024))) {
        left_out += !quick;
        continue;
      }
      const size_t per_sequence = size_t(tokens) / kPageTokens;
      const size_t elements = size_t(tokens) * size_t(m.key_heads) * size_t(m.dim);
      const double bytes = 2 * double(elements) * kBytes[code];
      const int copies = copies_of(bytes);
      Arena arena;
      std::vector<int32_t> pages, sequences;
      for (size_t i = 0; i < per_sequence; i++) pages.push_back(int32_t(i));
      const std::vector<int32_t> position = {tokens - 1};
      std::vector<AttentionParams> all;
      for (int i = 0; i < copies; i++) {
        const bool scaled = code >= 2;
        // Halves in the place of codes are as good as any.
        LayerPages cache{arena.halves<void>(size_t(double(elements) * 2)),
                         arena.halves<void>(size_t(double(elements) * 2)),
                         m.key_heads,
                         m.dim,
                         kCodes[code],
                         kCodes[code],
                         scaled ? arena.halves<Half>(elements / 32) : nullptr,
                         scaled ? arena.halves<Half>(elements / 32) : nullptr};
        AttentionParams p{.q = arena.halves<Half>(size_t(m.heads * m.dim)),
                          .q_stride = m.heads * m.dim,
                          .y = arena.halves<Half>(size_t(m.heads * m.dim)),
                          .rows = 1,
                          .heads = m.heads,
                          .cache = cache,
                          .step = {arena.copy(position), arena.copy(std::vector<int32_t>{0}),
                                   arena.copy(pages), int(per_sequence)},
                          .scale = 0.1f,
                          .splits = int(per_sequence)};
        p.scratch = static_cast<float*>(arena.bytes(size_t(attention_scratch_bytes(p))));
        all.push_back(p);
      }
      const std::string what = std::string(kNames[code]) + ", " + std::to_string(tokens) + " tokens";
      measure({"attention_decode", m.name, what, 1}, bytes, copies,
              [&](cudaStream_t stream, int i) { attention_decode(stream, all[size_t(i)]); });
      if (code || tokens > 8192) continue;
      const int64_t rows = quick ? 64 : 256;
      std::vector<int32_t> positions(static_cast<size_t>(rows));
      for (size_t r = 0; r < positions.size(); r++)
        positions[r] = int32_t(size_t(tokens) - positions.size() + r);
      const auto* many = arena.copy(positions);
      const auto* zero = arena.copy(std::vector<int32_t>(size_t(rows), 0));
      auto* q = arena.halves<Half>(size_t(rows) * size_t(m.heads * m.dim));
      auto* y = arena.halves<Half>(size_t(rows) * size_t(m.heads * m.dim));
      for (AttentionParams& p : all) {
        p.q = q, p.y = y, p.rows = rows;
        p.step.positions = many, p.step.sequences = zero;
      }
      measure({"attention_prefill", m.name, what, rows}, bytes, copies,
              [&](cudaStream_t stream, int i) { attention_prefill(stream, all[size_t(i)]); });
    }
}

// What is small beside the weights, but a launch each.
void the_rest(const Model& m) {
  for (const int64_t rows : quick ? std::vector<int64_t>{1} : std::vector<int64_t>{1, 16, 256}) {
    if (time_is_up()) {
      left_out++;
      continue;
    }
    Arena arena;
    const size_t hidden = size_t(rows) * size_t(m.hidden), wide = size_t(rows) * size_t(m.intermediate);
    const size_t queries = size_t(rows) * size_t(m.heads * m.dim);
    const size_t keys = size_t(rows) * size_t(m.key_heads * m.dim);
    auto *x = arena.halves<Half>(hidden), *added = arena.halves<Half>(hidden),
         *y = arena.halves<Half>(hidden), *weight = arena.halves<Half>(size_t(m.hidden));
    auto *gate = arena.halves<Half>(wide), *up = arena.halves<Half>(wide),
         *product = arena.halves<Half>(wide);
    auto *q = arena.halves<Half>(queries), *k = arena.halves<Half>(keys),
         *v = arena.halves<Half>(keys);
    std::vector<int32_t> positions, zeros(static_cast<size_t>(rows)), tokens;
    for (int64_t r = 0; r < rows; r++) {
      positions.push_back(int32_t(r));
      tokens.push_back(int32_t(r * 7919 % m.vocabulary));
    }
    const StepRows step{arena.copy(positions), arena.copy(zeros),
                        arena.copy(std::vector<int32_t>{0, 1}), 2};
    const size_t page = size_t(m.key_heads) * kPageTokens * size_t(m.dim);
    std::vector<float> frequencies(size_t(m.dim) / 2, 1e-3f);
    auto* angles = static_cast<float*>(arena.bytes(size_t(rows * m.dim) * 4));
    auto* table = arena.halves<Half>(size_t(m.vocabulary) * size_t(m.hidden));
    auto* logits = static_cast<float*>(arena.bytes(size_t(rows) * size_t(m.vocabulary) * 4));
    check(cudaMemset(logits, 0, size_t(rows) * size_t(m.vocabulary) * 4), "cudaMemset");
    auto* values = static_cast<float*>(arena.bytes(size_t(rows) * 256 * 4));
    auto* ids = static_cast<int32_t*>(arena.bytes(size_t(rows) * 256 * 4));
    const auto* token_ids = arena.copy(tokens);
    const auto* device_frequencies = arena.copy(frequencies);
    const RopeCacheWriteParams rope{
        .q = q, .q_rotated = q, .k = k, .k_rotated = k, .v = v,
        .q_stride = m.heads * m.dim, .k_stride = m.key_heads * m.dim, .rows = rows,
        .heads = m.heads, .key_heads = m.key_heads, .dim = m.dim, .angles = angles,
        .pairs = m.dim / 2,
        .cache = {arena.halves<void>(2 * page), arena.halves<void>(2 * page), m.key_heads, m.dim},
        .step = step};
    const auto run = [&](const char* launcher, double bytes,
                         const std::function<void(cudaStream_t)>& launch) {
      measure({launcher, m.name, "", rows}, bytes, 20,
              [&](cudaStream_t stream, int) { launch(stream); });
    };
    run("embed", 4.0 * double(hidden), [&](cudaStream_t s) {
      embed(s, {token_ids, table, x, rows, m.hidden, Type::F16});
    });
    run("norm", 8.0 * double(hidden), [&](cudaStream_t s) {
      norm(s, {.x = x, .add = added, .sum = x, .weight = weight, .y = y, .rows = rows,
               .columns = m.hidden, .eps = 1e-5f});
    });
    run("add", 6.0 * double(hidden),
        [&](cudaStream_t s) { cuda::add(s, {x, added, y, int64_t(hidden), Type::F16}); });
    run("silu_mul", 6.0 * double(wide), [&](cudaStream_t s) {
      silu_mul(s, {gate, up, product, rows, m.intermediate, m.intermediate});
    });
    run("rope_angles", 4.0 * double(rows * m.dim), [&](cudaStream_t s) {
      rope_angles(s, {step.positions, device_frequencies, angles, rows, m.dim / 2, 1});
    });
    run("rope_cache_write", 4.0 * double(queries) + 10.0 * double(keys),
        [&](cudaStream_t s) { rope_cache_write(s, rope); });
    run("gather_rows", 4.0 * double(hidden), [&](cudaStream_t s) {
      gather_rows(s, {x, step.positions, y, rows, m.hidden, Type::F16});
    });
    if (rows > 16) continue;
    const LogitRows of{logits, rows, m.vocabulary, m.vocabulary};
    const double bytes = 4.0 * double(rows) * m.vocabulary;
    run("arg_max", bytes, [&](cudaStream_t s) { arg_max(s, {of, ids}); });
    run("token_log_prob", bytes, [&](cudaStream_t s) { token_log_prob(s, {of, token_ids, values}); });
    run("top_k", 2 * bytes, [&](cudaStream_t s) { top_k(s, {of, 256, values, ids}); });
  }
}

void run_all() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&block_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
        "cudaDeviceGetAttribute");
  best = read_limit();
  std::printf("{\"readBytesPerSecond\": %.4g}\n", best);
  for (const Model& model : kModels) {
    if (quick && &model != kModels) break;
    linear(model);
    attention(model);
    the_rest(model);
  }
  check(cudaDeviceSynchronize(), "at the end");
  std::printf("{\"leftOut\": %d}\n", left_out);
}

}  // namespace

}  // namespace exl::bench

int main(int count, char** arguments) {
  for (int i = 1; i < count; i++) {
    if (std::strcmp(arguments[i], "--no-overlap") == 0) exl::cuda::may_overlap = false;
    if (std::strcmp(arguments[i], "--quick") == 0) exl::bench::quick = true;
    if (std::strcmp(arguments[i], "--seconds") == 0 && i + 1 < count)
      exl::bench::seconds = std::atof(arguments[++i]);
  }
  exl::bench::run_all();
}
