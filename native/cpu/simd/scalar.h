// 16 lanes as arrays, for processors without a target of their own. Compilers turn most loops into
// SSE2 or the like.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace exl::cpu::EXL_TARGET {

struct Floats {
  float at[16];
};
struct Ints {
  int32_t at[16];
};
struct Bytes {
  uint8_t at[64];
};

constexpr int kQuantRows = 1, kQuantTiles = 1, kQuantSums = 1, kFloatRows = 1, kFloatColumns = 1,
              kScoreQueries = 1, kScoreVectors = 1, kSingleVectors = 1;

template <typename Result, typename F>
inline Result each(F f) {
  Result result;
  for (int i = 0; i < 16; i++) result.at[i] = f(i);
  return result;
}

inline float bits_to_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
inline uint32_t float_to_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

// As in base/float16.h, which must not be shared between targets: its inline functions could be
// merged by the linker.
inline float widen_half(uint16_t h) {
  const uint32_t magnitude = uint32_t(h & 0x7fff) << 13;
  const uint32_t sign = uint32_t(h & 0x8000) << 16;
  if (magnitude >= 0x0f800000) return bits_to_float(sign | (magnitude + 0x70000000));
  return bits_to_float(sign | float_to_bits(bits_to_float(magnitude) * 0x1p112f));
}
inline uint16_t narrow_half(float x) {
  const uint32_t bits = float_to_bits(x), magnitude = bits & 0x7fffffff;
  const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000)
    return uint16_t(sign | (float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000));
  return uint16_t(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

inline Floats set(float x) {
  return each<Floats>([=](int) { return x; });
}
inline Floats load(const float* p) {
  return each<Floats>([=](int i) { return p[i]; });
}
inline Floats load_partial(const float* p, int n) {
  return each<Floats>([=](int i) { return i < n ? p[i] : 0.0f; });
}
inline void store_partial(float* p, const Floats& x, int n) {
  for (int i = 0; i < n; i++) p[i] = x.at[i];
}
inline void store(float* p, const Floats& x) { store_partial(p, x, 16); }
inline Floats load_half(const uint16_t* p) {
  return each<Floats>([=](int i) { return widen_half(p[i]); });
}
inline Floats load_bfloat(const uint16_t* p) {
  return each<Floats>([=](int i) { return bits_to_float(uint32_t(p[i]) << 16); });
}
inline void store_half(uint16_t* p, const Floats& x) {
  for (int i = 0; i < 16; i++) p[i] = narrow_half(x.at[i]);
}
inline Floats add(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return a.at[i] + b.at[i]; });
}
inline Floats mul(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return a.at[i] * b.at[i]; });
}
inline Floats div(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return a.at[i] / b.at[i]; });
}
inline Floats fma(const Floats& a, const Floats& b, const Floats& c) {
  return each<Floats>([&](int i) { return a.at[i] * b.at[i] + c.at[i]; });
}
inline Floats max(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return a.at[i] > b.at[i] ? a.at[i] : b.at[i]; });
}
inline Floats min(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return a.at[i] < b.at[i] ? a.at[i] : b.at[i]; });
}
inline Floats abs(const Floats& a) {
  return each<Floats>([&](int i) { return a.at[i] < 0 ? -a.at[i] : a.at[i]; });
}
inline float reduce_add(const Floats& a) {
  float sum = 0;
  for (const float x : a.at) sum += x;
  return sum;
}
inline float reduce_max(const Floats& a) {
  float most = a.at[0];
  for (const float x : a.at) most = x > most ? x : most;
  return most;
}

inline Ints set_int(int x) {
  return each<Ints>([=](int) { return x; });
}
inline Ints load_ints(const uint8_t* p) {
  return each<Ints>([=](int i) { return int32_t(p[i]); });
}
inline void store_int8(int8_t* p, const Ints& x) {
  for (int i = 0; i < 16; i++) p[i] = int8_t(x.at[i]);
}
inline Ints mul_int(const Ints& a, const Ints& b) {
  return each<Ints>([&](int i) { return a.at[i] * b.at[i]; });
}
inline Ints add_int(const Ints& a, const Ints& b) {
  return each<Ints>([&](int i) { return a.at[i] + b.at[i]; });
}
inline int reduce_add_int(const Ints& a) {
  int sum = 0;
  for (const int x : a.at) sum += x;
  return sum;
}
inline Floats to_floats(const Ints& a) {
  return each<Floats>([&](int i) { return float(a.at[i]); });
}
// To nearest, ties to even, for magnitudes below 2^22.
inline Ints to_ints(const Floats& a) {
  return each<Ints>(
      [&](int i) { return int32_t(float_to_bits(a.at[i] + 0x1.8p23f)) - 0x4b400000; });
}
inline Floats times_power_of_two(const Floats& a, const Ints& n) {
  return each<Floats>(
      [&](int i) { return a.at[i] * bits_to_float(uint32_t(n.at[i] + 127) << 23); });
}

// Codes of a cache (see core/cache.h), 16 at a time.
inline Floats load_e5m2(const uint8_t* p) {
  return each<Floats>([=](int i) { return widen_half(uint16_t(p[i] << 8)); });
}
inline Floats load_int8(const uint8_t* p) {
  return each<Floats>([=](int i) { return float(int8_t(p[i])); });
}
// 8 bytes; low nibbles are even lanes.
inline Floats load_int4(const uint8_t* p) {
  return each<Floats>([=](int i) { return float(2 * (p[i / 2] >> (i % 2 * 4) & 15) - 15); });
}
// 16 bytes, a lane each.
inline void load_int4_pairs(const uint8_t* p, Floats& low, Floats& high) {
  low = each<Floats>([=](int i) { return float(2 * (p[i] & 15) - 15); });
  high = each<Floats>([=](int i) { return float(2 * (p[i] >> 4) - 15); });
}

inline Bytes load_bytes(const std::byte* p) {
  Bytes result;
  memcpy(result.at, p, 64);
  return result;
}
template <int kShift>
inline Bytes shift_mask(Bytes a, int mask) {
  for (uint8_t& byte : a.at)
    byte = uint8_t((kShift > 0 ? byte >> (kShift & 7) : byte << (-kShift & 7)) & mask);
  return a;
}
inline Bytes either(Bytes a, const Bytes& b) {
  for (int i = 0; i < 64; i++) a.at[i] |= b.at[i];
  return a;
}

inline void prefetch(const std::byte*) {}

// Four rows of a chunk are multiplied in two halves of two rows.
struct Half {
  int16_t at[32];
};
template <int kBits, int kHalf>
inline Half half_of(const Bytes& codes) {
  Half half;
  for (int i = 0; i < 32; i++) half.at[i] = codes.at[i / 2 * 4 + i % 2 + 2 * kHalf];
  return half;
}
inline void store_quads(std::byte* p, const Ints& x) {
  int16_t words[16];
  for (int i = 0; i < 16; i++) words[i] = int16_t(x.at[i]);
  memcpy(p, words, sizeof(words));
}
inline Half broadcast_half(const std::byte* p) {
  Half half;
  for (int i = 0; i < 16; i++) memcpy(half.at + 2 * i, p, 4);
  return half;
}

using Sums = Ints;
template <int kBits>
constexpr int code_offset() {
  return 0;
}
inline Sums sums_from(const Ints& start) { return start; }
inline Ints total(const Sums& sums) { return sums; }
// sums[lane] += the products of the codes and activations of a half.
template <int kHalf>
inline void add_dot(Sums& sums, const Half& codes, const Half& activations) {
  for (int lane = 0; lane < 16; lane++) {
    const int16_t *c = codes.at + 2 * lane, *a = activations.at + 2 * lane;
    sums.at[lane] += c[0] * a[0] + c[1] * a[1];
  }
}

}  // namespace exl::cpu::EXL_TARGET
