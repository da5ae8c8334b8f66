// Keys and values into the cache.
#include <cstring>

#include "cpu/backend.h"
#include "ops/cache_write.h"

namespace exl::cpu {

namespace {

// Keys below which another thread costs more than it saves; each takes half a microsecond.
constexpr int64_t kGrain = 16;

// One number after another, to one in every 256.
template <typename T>
void scatter(const void* from, int64_t count, T* to) {
  for (int64_t i = 0; i < count; i++) to[i * kPageTokens] = static_cast<const T*>(from)[i];
}

// Where a key, or a value, of some token goes.
struct Place {
  int64_t page, head, token;
};

void write(const Target& target, const LayerCache& cache, const CacheSide& side, const Place& at,
           const float* x) {
  alignas(64) std::byte codes[256 * sizeof(uint16_t)];  // of the largest head, as halves
  uint16_t scales[256];
  target.encode(codes_of(side).type, side.group, x, cache.dim, codes, scales);
  if (side.group)
    scatter(scales, cache.dim / side.group, cache.scales(side, at.page, at.head) + at.token);
  const int64_t bytes = int64_t(side.codes->size()) / (cache.pages * cache.key_heads * kPageTokens);
  if (&side == &cache.values)
    std::memcpy(cache.codes<std::byte>(side, at.page, at.head) + at.token * bytes, codes,
                size_t(bytes));
  else if (side.code == CacheCode::F16)
    scatter(codes, cache.dim, cache.codes<uint16_t>(side, at.page, at.head) + at.token);
  else
    scatter(codes, bytes, cache.codes<uint8_t>(side, at.page, at.head) + at.token);
}

}  // namespace

CacheCodes codes_of(const CacheSide& side) {
  CacheCodes codes{CodeType::F16, side.group, side.codes->data(),
                   side.scales ? side.scales->as<uint16_t>() : nullptr};
  if (side.code == CacheCode::E5M2) codes.type = CodeType::E5M2;
  if (side.code == CacheCode::Int8) codes.type = CodeType::Int8;
  if (side.code == CacheCode::Int4) codes.type = CodeType::Int4;
  return codes;
}

namespace {

void cache_write(Backend& backend, const Call& call, const Run&) {
  auto& cpu = static_cast<CpuBackend&>(backend);
  const CacheWriteCall op(call);
  const LayerCache& cache = op.cache;
  const auto* positions = op.step.positions.as<int32_t>();
  const auto* sequences = op.step.sequences.as<int32_t>();
  const Tensor& pages = op.step.pages;
  const int64_t rows = op.k.shape[0];
  // Head after head, since rows of a prompt share cache lines.
  cpu.split(rows * cache.key_heads, kGrain, [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; i++) {
      const int64_t r = i % rows, h = i / rows;
      const int64_t page =
          pages.as<int32_t>()[sequences[r] * pages.shape[1] + positions[r] / kPageTokens];
      const Place at{page, h, positions[r] % kPageTokens};
      const int64_t from = (r * cache.key_heads + h) * cache.dim;
      write(cpu.target, cache, cache.keys, at, op.k.as<float>() + from);
      write(cpu.target, cache, cache.values, at, op.v.as<float>() + from);
    }
  });
}

constexpr Kernel kKernels[] = {{.op = &ops::cache_write, .name = "cpu", .run = cache_write}};

}  // namespace

constinit const Kernels cache_kernels = kKernels;

}  // namespace exl::cpu
