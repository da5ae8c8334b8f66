// The quantised linear kernels of every SIMD target, below what a model can reach.
#include <cmath>
#include <random>
#include <vector>

#include "cpu/backend.h"
#include "test/check.h"

namespace {

using namespace exl::cpu;
using exl::test::check;

// A matrix of random codes, with groups that end in the middle of a span.
struct Matrix {
  std::vector<PackedGroup> groups;
  int64_t chunks = 0, spans = 0, tile_bytes = 0, out;
  std::vector<std::byte> codes;
  std::vector<uint16_t> scales;
  std::vector<uint8_t> zeros;
  std::vector<float> bias;

  int64_t tiles() const { return (out + kTile - 1) / kTile; }

  Matrix(const std::vector<PackedGroup>& all, int64_t columns) : groups(all), out(columns) {
    for (const PackedGroup& group : groups) {
      chunks += group.chunks;
      spans += (group.chunks + kSpan - 1) / kSpan;
      tile_bytes += group.chunks * group.bits * 4 * kTile;
    }
    codes.resize(size_t(tiles() * tile_bytes));
    const size_t lanes = size_t(tiles() * kTile) * groups.size();
    scales.assign(lanes, 0x3c00);
  }

  // On columns [16 * first_tile, 16 * end_tile).
  std::vector<float> multiply(const Target& target, const std::vector<float>& x, int64_t rows,
                              int64_t in, int64_t first_tile, int64_t end_tile) const {
    std::vector<std::byte> words(size_t(rows * chunks * kChunk * 2));
    std::vector<float> steps(size_t(rows * spans)), y(size_t(rows * out));
    std::vector<int32_t> sums(steps.size()), pairs(steps.size());
    const QuantRows quantised{rows,         chunks,      spans,       words.data(),
                              steps.data(), sums.data(), pairs.data()};
    const int64_t count = int64_t(groups.size());
    const Quantise quantise{x.data(), nullptr, in, groups.data(), count, quantised};
    target.quantise(quantise, 0, spans / 2);
    target.quantise(quantise, spans / 2, spans);
    target.quant_linear({codes.data(), tile_bytes, groups.data(), count, scales.data(),
                         zeros.empty() ? nullptr : zeros.data(), quantised, out,
                         bias.empty() ? nullptr : bias.data(), y.data()},
                        first_tile, end_tile);
    return y;
  }
};

std::vector<float> first(const std::vector<float>& all, int64_t count) {
  return {all.begin(), all.begin() + count};
}

// Row counts around every block, on a number of tiles that no block divides.
void agree(const Target& target, const Target& plain) {
  std::mt19937 random(11);
  const auto uniform = [&] { return float(random()) / float(UINT32_MAX) * 2 - 1; };
  bool agrees = true, independent = true;
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    const int zero = 1 << (bits - 1);
    Matrix matrix({{bits, 1, zero}, {bits, 4, zero}, {4, 5, 8}, {bits, 2, zero}}, 70);
    for (std::byte& code : matrix.codes) code = std::byte(random());
    for (uint16_t& scale : matrix.scales) scale = uint16_t(0x2000 + random() % 0x400);
    if (bits == 4)
      for (size_t i = 0; i < matrix.scales.size(); i++)
        matrix.zeros.push_back(uint8_t(random() % 17));
    for (int64_t i = 0; i < matrix.out; i++) matrix.bias.push_back(uniform());

    const int64_t rows = 23, in = matrix.chunks * kChunk - 5, tiles = matrix.tiles();
    std::vector<float> x(size_t(rows * in));
    for (float& v : x) v = uniform();
    const std::vector<float> expected = matrix.multiply(plain, x, rows, in, 0, tiles);
    const std::vector<float> all = matrix.multiply(target, x, rows, in, 0, tiles);
    for (size_t i = 0; i < all.size(); i++)
      agrees = agrees && std::abs(all[i] - expected[i]) <= 1e-5f * (1 + std::abs(expected[i]));
    for (int64_t count = 1; count < rows; count++)
      independent = independent && matrix.multiply(target, first(x, count * in), count, in, 0,
                                                   tiles) == first(all, count * matrix.out);
    // The last tile alone, and those before it.
    const std::vector<float> begin = matrix.multiply(target, x, rows, in, 0, tiles - 1);
    const std::vector<float> end = matrix.multiply(target, x, rows, in, tiles - 1, tiles);
    for (size_t i = 0; i < all.size(); i++)
      independent = independent && begin[i] + end[i] == all[i];
  }
  check(agrees, std::string("quantised products agree on ") + target.name);
  check(independent,
        std::string("neither other rows nor other tiles change a product on ") + target.name);
}

// The largest sums there are: codes and zero points at their ends, every activation at full scale.
void extremes(const Target& target) {
  bool exact = true;
  for (const bool positive : {true, false}) {
    Matrix matrix({{8, 2 * kSpan, 0}}, kTile);
    for (std::byte& code : matrix.codes) code = std::byte(positive ? 255 : 0);
    matrix.zeros.assign(kTile, positive ? 0 : 255);
    const int64_t rows = 9, in = matrix.chunks * kChunk;  // one alone, and a block of most
    for (const float x : {1.0f, -1.0f}) {
      const float product = (positive ? 255 : -255) * x * float(in);
      const std::vector<float> all(size_t(rows * in), x);
      for (const float y : matrix.multiply(target, all, rows, in, 0, 1))
        exact = exact && std::abs(y - product) <= std::abs(product) * 0x1p-22f;
    }
  }
  check(exact, std::string("the sums of a span do not overflow on ") + target.name);
}

}  // namespace

namespace exl::test {

void quant_linear() {
  for (const Target* target : usable_targets()) {
    agree(*target, *usable_targets().back());
    extremes(*target);
  }
}

}  // namespace exl::test
