// How keys and values are stored, as core/cache.h defines it.
#include "reference/cache.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/float16.h"

namespace exl::reference {

namespace {

// Where element `c` of a token is among the codes of its head and page; `dim` counts bytes where
// two elements share one.
struct Place {
  int64_t token_stride, element_stride;

  int64_t operator()(int64_t token, int64_t element) const {
    return token * token_stride + element * element_stride;
  }
};

Place place_in(const LayerCache& cache, const CacheSide& side) {
  if (&side == &cache.keys) return {1, kPageTokens};
  return {side.code == CacheCode::Int4 ? cache.dim / 2 : cache.dim, 1};
}

uint8_t to_e5m2(double x) {
  if (std::isnan(x)) return 0x7f;
  const double magnitude = std::min(std::abs(x), 57344.0);
  // Two bits behind the leading one; below 2^-14 the steps stay those of 2^-14.
  const int exponent = magnitude == 0 ? -14 : std::max(std::ilogb(magnitude), -14);
  const double rounded =
      std::ldexp(std::nearbyint(std::ldexp(magnitude, 2 - exponent)), exponent - 2);
  return uint8_t(float_to_half(float(std::copysign(rounded, x))) >> 8);
}

double from_e5m2(uint8_t byte) { return half_to_float(uint16_t(byte << 8)); }

// H x, in natural order: its own inverse, but for a factor of x.size().
std::vector<double> hadamard(const std::vector<double>& x) {
  std::vector<double> y(x.size(), 0);
  for (size_t i = 0; i < x.size(); i++)
    for (size_t j = 0; j < x.size(); j++) y[i] += std::popcount(i & j) % 2 ? -x[j] : x[j];
  return y;
}

// The integers a scale is multiplied by.
constexpr double kMostInt8 = 127, kMostInt4 = 15;

uint8_t to_int8(double quotient) {
  return uint8_t(int8_t(std::clamp(std::nearbyint(quotient), -kMostInt8, kMostInt8)));
}
double from_int8(uint8_t code) { return int8_t(code); }

uint8_t to_int4(double quotient) {
  return uint8_t(std::clamp(std::nearbyint((quotient + kMostInt4) / 2), 0.0, 15.0));
}
double from_int4(uint8_t code) { return 2.0 * code - kMostInt4; }

// NaN stays the largest, once met.
uint16_t scale_of(const std::vector<double>& rotated, double most) {
  double largest = 0;
  for (const double x : rotated)
    if (!(std::abs(x) <= largest)) largest = std::abs(x);
  const double scale = largest / most;
  return float_to_half(float(scale > 65504 ? 65504 : scale));
}

void write_group(const LayerCache& cache, const CacheSide& side, int64_t page, int64_t head,
                 int64_t token, int64_t first, const std::vector<double>& x) {
  const bool four = side.code == CacheCode::Int4;
  const std::vector<double> rotated = hadamard(x);
  const uint16_t half = scale_of(rotated, four ? kMostInt4 : kMostInt8);
  cache.scales(side, page, head)[first / side.group * kPageTokens + token] = half;
  const double scale = half_to_float(half);
  const Place at = place_in(cache, side);
  auto* codes = cache.codes<uint8_t>(side, page, head);
  const auto quotient = [&](int64_t i) { return scale > 0 ? rotated[size_t(i)] / scale : 0; };
  for (int64_t i = 0; i < side.group; i++) {
    if (!four) codes[at(token, first + i)] = to_int8(quotient(i));
    if (four && i % 2 == 0)
      codes[at(token, (first + i) / 2)] =
          uint8_t(to_int4(quotient(i)) | to_int4(quotient(i + 1)) << 4);
  }
}

void read_group(const LayerCache& cache, const CacheSide& side, int64_t page, int64_t head,
                int64_t token, int64_t first, double* x) {
  const double scale =
      half_to_float(cache.scales(side, page, head)[first / side.group * kPageTokens + token]);
  const Place at = place_in(cache, side);
  const auto* codes = cache.codes<uint8_t>(side, page, head);
  std::vector<double> rotated;
  for (int64_t c = first; c < first + side.group; c++) {
    const double integer = side.code == CacheCode::Int8
                               ? from_int8(codes[at(token, c)])
                               : from_int4(codes[at(token, c / 2)] >> (c % 2 * 4) & 15);
    rotated.push_back(scale * integer);
  }
  for (const double y : hadamard(rotated)) *x++ = y / double(side.group);
}

}  // namespace

void write_head(const LayerCache& cache, const CacheSide& side, int64_t page, int64_t head,
                int64_t token, const double* x) {
  if (side.group) {
    for (int64_t first = 0; first < cache.dim; first += side.group)
      write_group(cache, side, page, head, token, first, {x + first, x + first + side.group});
    return;
  }
  const Place at = place_in(cache, side);
  for (int64_t c = 0; c < cache.dim; c++) {
    if (side.code == CacheCode::F64)
      cache.codes<double>(side, page, head)[at(token, c)] = x[c];
    else if (side.code == CacheCode::F16)
      cache.codes<uint16_t>(side, page, head)[at(token, c)] = float_to_half(float(x[c]));
    else
      cache.codes<uint8_t>(side, page, head)[at(token, c)] = to_e5m2(x[c]);
  }
}

std::vector<double> read_head(const LayerCache& cache, const CacheSide& side, int64_t page,
                              int64_t head, int64_t token) {
  std::vector<double> x(size_t(cache.dim));
  if (side.group) {
    for (int64_t first = 0; first < cache.dim; first += side.group)
      read_group(cache, side, page, head, token, first, x.data() + first);
    return x;
  }
  const Place at = place_in(cache, side);
  for (int64_t c = 0; c < cache.dim; c++) {
    if (side.code == CacheCode::F64)
      x[size_t(c)] = cache.codes<double>(side, page, head)[at(token, c)];
    else if (side.code == CacheCode::F16)
      x[size_t(c)] = half_to_float(cache.codes<uint16_t>(side, page, head)[at(token, c)]);
    else
      x[size_t(c)] = from_e5m2(cache.codes<uint8_t>(side, page, head)[at(token, c)]);
  }
  return x;
}

}  // namespace exl::reference
