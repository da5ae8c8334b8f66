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

constexpr int kQuantRows = 1, kFloatRows = 1, kFloatColumns = 1, kScoreQueries = 1,
              kScoreVectors = 1, kSingleVectors = 1;

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

// As in core/float16.h, which must not be shared between targets: its inline functions could be
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
template <int kShift>
inline Ints shift_left(const Ints& a) {
  return each<Ints>([&](int i) { return int32_t(uint32_t(a.at[i]) << kShift); });
}
template <int kShift>
inline Ints shift_right(const Ints& a) {
  return each<Ints>([&](int i) { return a.at[i] >> kShift; });
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

struct Quad {
  int8_t at[4];
};
inline Quad broadcast4(const int8_t* p) { return {{p[0], p[1], p[2], p[3]}}; }

// acc[lane] += sum over i < 4 of codes[4 lane + i] * a[i].
inline Ints dot(const Ints& acc, const Bytes& codes, const Quad& a) {
  return each<Ints>([&](int lane) {
    const uint8_t* c = codes.at + 4 * lane;
    return acc.at[lane] + c[0] * a.at[0] + c[1] * a.at[1] + c[2] * a.at[2] + c[3] * a.at[3];
  });
}
inline Ints dot_wide(const Ints& acc, const Bytes& codes, const Quad& a) {
  return dot(acc, codes, a);
}

}  // namespace exl::cpu::EXL_TARGET
