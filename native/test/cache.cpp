// Every SIMD target stores keys and values as the reference does, and attends to them alike.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/float16.h"
#include "core/cache.h"
#include "cpu/backend.h"
#include "reference/cache.h"
#include "test/check.h"

using namespace exl;
using exl::test::check;

namespace {

struct Format {
  const char* name;
  CacheType type;  // whose keys are stored this way
};
constexpr std::array<Format, 4> kFormats = {{{"fp16", CacheType::Fp16},
                                             {"fp8", CacheType::Fp8},
                                             {"8 bits", CacheType::Q8},
                                             {"4 bits", CacheType::Q4}}};

constexpr int64_t kHeads = 4, kKeyHeads = 2, kRows = 70;
const Allocator allocate{std::make_shared<Ledger>(), "test"};

// One page of random keys and values, as the reference stores them.
std::shared_ptr<Cache> filled(CacheType type, int64_t dim, const std::vector<double>& x) {
  auto cache = make_cache(allocate, type, Dtype::F16, 1, 1, kKeyHeads, dim);
  const LayerCache& layer = cache->layers[0];
  for (int64_t h = 0; h < kKeyHeads; h++)
    for (int64_t t = 0; t < kPageTokens; t++)
      for (const CacheSide* side : {&layer.keys, &layer.values})
        reference::write_head(layer, *side, 0, h, t, x.data() + (h * kPageTokens + t) * dim);
  return cache;
}

// How many codes and scales of a page of values a target stores otherwise than the reference, and
// the largest distance between two of them.
struct Difference {
  int64_t codes = 0, scales = 0, most = 0;
};

Difference difference(const cpu::Target& target, const LayerCache& layer,
                      const std::vector<double>& x) {
  Difference result;
  const auto count = [&](int64_t& into, int64_t a, int64_t b) {
    into += a != b;
    result.most = std::max(result.most, std::abs(a - b));
  };
  const int64_t dim = layer.dim, group = layer.values.group;
  const bool four = layer.values.code == CacheCode::Int4;
  const int64_t bytes = int64_t(layer.values.codes->size()) / (kKeyHeads * kPageTokens);
  for (int64_t h = 0; h < kKeyHeads; h++)
    for (int64_t t = 0; t < kPageTokens; t++) {
      const auto first = x.begin() + (h * kPageTokens + t) * dim;
      const std::vector<float> row(first, first + dim);
      std::vector<uint8_t> codes(row.size() * 2);
      std::vector<uint16_t> scales(row.size());
      target.encode(cpu::codes_of(layer.values).type, group, row.data(), dim, codes.data(),
                    scales.data());
      const uint8_t* expected = layer.codes<uint8_t>(layer.values, 0, h) + t * bytes;
      for (int64_t i = 0; i < bytes; i++) {
        const uint8_t a = codes[size_t(i)], b = expected[i];
        if (four) count(result.codes, a >> 4, b >> 4);
        count(result.codes, four ? a & 15 : int8_t(a), four ? b & 15 : int8_t(b));
      }
      for (int64_t i = 0; group && i < dim / group; i++)
        count(result.scales, scales[size_t(i)],
              layer.scales(layer.values, 0, h)[i * kPageTokens + t]);
    }
  return result;
}

std::vector<float> attend(const cpu::Target& target, const LayerCache& layer,
                          const std::vector<float>& q) {
  std::vector<float> y(q.size()), scratch(size_t(64 * (cpu::kAttentionTile + 2 * 256)));
  std::vector<int32_t> positions(kRows);
  for (int i = 0; i < kRows; i++) positions[size_t(i)] = i * 3;
  const int32_t page = 0;
  const cpu::Attention attention{q.data(),
                                 y.data(),
                                 cpu::codes_of(layer.keys),
                                 cpu::codes_of(layer.values),
                                 positions.data(),
                                 &page,
                                 kHeads,
                                 kKeyHeads,
                                 layer.dim,
                                 50,
                                 0.3f,
                                 0};
  for (int64_t head = 0; head < kKeyHeads; head++)
    target.attention(attention, 0, kRows, head, scratch.data());

  // Each row alone, against what it was among the others.
  std::vector<float> alone(q.size());
  cpu::Attention single = attention;
  single.y = alone.data();
  for (int64_t row = 0; row < kRows; row++)
    for (int64_t head = 0; head < kKeyHeads; head++)
      target.attention(single, row, row + 1, head, scratch.data());
  check(alone == y, std::string(target.name) + ": a row does not depend on its batch");
  return y;
}

void storing_and_attending() {
  std::mt19937 random(5);
  const cpu::Target& plain = *cpu::usable_targets().back();
  for (const Format& format : kFormats)
    for (const int64_t dim : {8, 16, 40, 64, 96, 256}) {
      // Rotating multiples of 2^-6 is exact in fp32; of any numbers it is not, and near a tie the
      // scale or a code may then be the next one.
      std::normal_distribution<double> normal;
      std::vector<double> grid(size_t(kKeyHeads * kPageTokens * dim)), any(grid.size());
      for (double& x : grid) x = std::round(normal(random) * 64) / 64;
      for (double& x : any) x = float(normal(random));
      const auto on_grid = filled(format.type, dim, grid), anywhere = filled(format.type, dim, any);

      std::vector<float> q(size_t(kRows * kHeads * dim));
      for (float& x : q) x = float(normal(random));
      const std::vector<float> expected = attend(plain, on_grid->layers[0], q);
      for (const cpu::Target* target : cpu::usable_targets()) {
        const std::string name =
            std::string(target->name) + ", " + format.name + ", heads of " + std::to_string(dim);
        const Difference exact = difference(*target, on_grid->layers[0], grid);
        check(exact.codes == 0 && exact.scales == 0, name + ": the reference's bytes");
        const Difference close = difference(*target, anywhere->layers[0], any);
        const int64_t codes = int64_t(any.size());
        check(close.most <= 1 && close.codes * 200 <= codes && close.scales * 200 <= codes,
              name + ": at most a step from the reference's bytes, and seldom");
        const std::vector<float> y = attend(*target, on_grid->layers[0], q);
        bool agree = true;
        for (size_t i = 0; i < y.size(); i++)
          agree = agree && std::abs(y[i] - expected[i]) <= 2e-5f;
        check(agree, name + ": attention agrees");
      }
    }
}

// A group of nothing stays nothing, and what is not a number stays visible.
void unusual_groups() {
  for (const Format& format : kFormats) {
    for (const cpu::Target* target : cpu::usable_targets()) {
      const std::string name = std::string(target->name) + ", " + format.name;
      const auto cache = make_cache(allocate, format.type, Dtype::F16, 1, 1, 1, 16);
      const LayerCache& layer = cache->layers[0];
      const CacheSide& side = layer.values;
      const auto stored = [&](const std::vector<float>& x) {
        target->encode(cpu::codes_of(side).type, side.group, x.data(), 16,
                       layer.codes<std::byte>(side, 0, 0),
                       side.group ? layer.scales(side, 0, 0) : nullptr);
        return reference::read_head(layer, side, 0, 0, 0);
      };
      const auto all = [](const std::vector<double>& x, auto holds) {
        return std::all_of(x.begin(), x.end(), holds);
      };
      check(all(stored(std::vector<float>(16, 0)), [](double x) { return x == 0; }),
            name + ": zeros stay zeros");
      check(all(stored(std::vector<float>(16, 1e-12f)), [](double x) { return x == 0; }),
            name + ": what is too small becomes zero");
      std::vector<float> broken(16, 1);
      broken[3] = NAN;
      check(std::isnan(stored(broken)[3]), name + ": NaN stays NaN");
      for (const float huge : {1e5f, 3e37f, INFINITY}) {
        broken[3] = huge;
        const bool finite = all(stored(broken), [](double x) { return std::isfinite(x); });
        check(finite == (format.type != CacheType::Fp16), name + ": what is too large saturates");
      }
    }
  }
}

void copying() {
  const auto cache = make_cache(allocate, CacheType::Q4, Dtype::F16, 2, 3, 2, 16);
  std::mt19937 random(9);
  std::vector<BufferPtr> buffers;
  for (const LayerCache& layer : cache->layers)
    for (const CacheSide* side : {&layer.keys, &layer.values})
      for (const BufferPtr& buffer : {side->codes, side->scales}) buffers.push_back(buffer);
  std::vector<std::vector<std::byte>> before;
  for (const BufferPtr& buffer : buffers) {
    for (size_t i = 0; i < buffer->size(); i++) buffer->data()[i] = std::byte(random());
    before.emplace_back(buffer->data(), buffer->data() + buffer->size());
  }
  copy_pages(nullptr, *cache, {2}, {0});
  bool copied = true;
  for (size_t b = 0; b < buffers.size(); b++) {
    const size_t page = before[b].size() / 3;
    const std::byte *now = buffers[b]->data(), *then = before[b].data();
    copied = copied && std::memcmp(now, then + 2 * page, page) == 0 &&
             std::memcmp(now + page, then + page, 2 * page) == 0;
  }
  check(copied, "a copied page has the codes and scales of every layer");
}

}  // namespace

namespace exl::test {

void cache() {
  storing_and_attending();
  unusual_groups();
  copying();
}

}  // namespace exl::test
