// 16 lanes in four NEON registers, with the byte dot product of Armv8.2 (FEAT_DotProd).
#pragma once

#include <arm_neon.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/inline.h"

namespace exl::cpu::EXL_TARGET {

struct Floats {
  float32x4_t at[4];
};
struct Ints {
  int32x4_t at[4];
};
struct Bytes {
  uint8x16_t at[4];
};

// Register blocks that fit 32 registers of four lanes.
constexpr int kQuantRows = 2, kQuantTiles = 1, kQuantSums = 1, kFloatRows = 2, kFloatColumns = 2,
              kScoreQueries = 4, kScoreVectors = 1, kSingleVectors = 4;

template <typename Result, typename F>
EXL_INLINE Result each(F f) {
  Result result;
  for (int i = 0; i < 4; i++) result.at[i] = f(i);
  return result;
}

EXL_INLINE Floats set(float x) {
  return each<Floats>([=](int) { return vdupq_n_f32(x); });
}
inline Floats load(const float* p) {
  return each<Floats>([=](int i) { return vld1q_f32(p + 4 * i); });
}
inline void store(float* p, const Floats& x) {
  for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, x.at[i]);
}
inline Floats load_partial(const float* p, int n) {
  float all[16] = {};
  for (int i = 0; i < n; i++) all[i] = p[i];
  return load(all);
}
inline void store_partial(float* p, const Floats& x, int n) {
  float all[16];
  store(all, x);
  for (int i = 0; i < n; i++) p[i] = all[i];
}
inline Floats load_half(const uint16_t* p) {
  return each<Floats>(
      [=](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
}
inline Floats load_bfloat(const uint16_t* p) {
  return each<Floats>(
      [=](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
}
inline void store_half(uint16_t* p, const Floats& x) {
  for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.at[i])));
}
inline Floats add(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return vaddq_f32(a.at[i], b.at[i]); });
}
EXL_INLINE Floats mul(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return vmulq_f32(a.at[i], b.at[i]); });
}
inline Floats div(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return vdivq_f32(a.at[i], b.at[i]); });
}
EXL_INLINE Floats fma(const Floats& a, const Floats& b, const Floats& c) {
  return each<Floats>([&](int i) { return vfmaq_f32(c.at[i], a.at[i], b.at[i]); });
}
inline Floats max(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return vmaxq_f32(a.at[i], b.at[i]); });
}
inline Floats min(const Floats& a, const Floats& b) {
  return each<Floats>([&](int i) { return vminq_f32(a.at[i], b.at[i]); });
}
inline Floats abs(const Floats& a) {
  return each<Floats>([&](int i) { return vabsq_f32(a.at[i]); });
}
inline float reduce_add(const Floats& a) {
  return vaddvq_f32(vaddq_f32(vaddq_f32(a.at[0], a.at[1]), vaddq_f32(a.at[2], a.at[3])));
}
inline float reduce_max(const Floats& a) {
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.at[0], a.at[1]), vmaxq_f32(a.at[2], a.at[3])));
}

EXL_INLINE Ints set_int(int x) {
  return each<Ints>([=](int) { return vdupq_n_s32(x); });
}
inline Ints load_ints(const uint8_t* p) {
  const uint8x16_t bytes = vld1q_u8(p);
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
  const auto widen = [](uint16x4_t x) { return vreinterpretq_s32_u32(vmovl_u16(x)); };
  return {{widen(vget_low_u16(low)), widen(vget_high_u16(low)), widen(vget_low_u16(high)),
           widen(vget_high_u16(high))}};
}
inline void store_int8(int8_t* p, const Ints& x) {
  const int16x8_t low = vcombine_s16(vmovn_s32(x.at[0]), vmovn_s32(x.at[1]));
  const int16x8_t high = vcombine_s16(vmovn_s32(x.at[2]), vmovn_s32(x.at[3]));
  vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
EXL_INLINE Ints mul_int(const Ints& a, const Ints& b) {
  return each<Ints>([&](int i) { return vmulq_s32(a.at[i], b.at[i]); });
}
EXL_INLINE Ints add_int(const Ints& a, const Ints& b) {
  return each<Ints>([&](int i) { return vaddq_s32(a.at[i], b.at[i]); });
}
inline int reduce_add_int(const Ints& a) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(a.at[0], a.at[1]), vaddq_s32(a.at[2], a.at[3])));
}
EXL_INLINE Floats to_floats(const Ints& a) {
  return each<Floats>([&](int i) { return vcvtq_f32_s32(a.at[i]); });
}
inline Ints to_ints(const Floats& a) {
  return each<Ints>([&](int i) { return vcvtnq_s32_f32(a.at[i]); });
}
inline Floats times_power_of_two(const Floats& a, const Ints& n) {
  return each<Floats>([&](int i) {
    const int32x4_t power = vshlq_n_s32(vaddq_s32(n.at[i], vdupq_n_s32(127)), 23);
    return vmulq_f32(a.at[i], vreinterpretq_f32_s32(power));
  });
}

// Codes of a cache (see core/cache.h), 16 at a time. A table turns 4 bits into 2 code - 15.
EXL_INLINE Floats widen_int8(int8x16_t bytes) {
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
  const auto widen = [](int16x4_t x) { return vcvtq_f32_s32(vmovl_s16(x)); };
  return {{widen(vget_low_s16(low)), widen(vget_high_s16(low)), widen(vget_low_s16(high)),
           widen(vget_high_s16(high))}};
}
EXL_INLINE Floats widen_int4(uint8x16_t codes) {
  alignas(16) static const int8_t odd[16] = {-15, -13, -11, -9, -7, -5, -3, -1,
                                             1,   3,   5,   7,  9,  11, 13, 15};
  return widen_int8(vqtbl1q_s8(vld1q_s8(odd), codes));
}
EXL_INLINE Floats load_e5m2(const uint8_t* p) {
  const uint8x16_t zero = vdupq_n_u8(0), bytes = vld1q_u8(p);
  const uint16x8_t low = vreinterpretq_u16_u8(vzip1q_u8(zero, bytes));
  const uint16x8_t high = vreinterpretq_u16_u8(vzip2q_u8(zero, bytes));
  const auto widen = [](uint16x4_t x) { return vcvt_f32_f16(vreinterpret_f16_u16(x)); };
  return {{widen(vget_low_u16(low)), widen(vget_high_u16(low)), widen(vget_low_u16(high)),
           widen(vget_high_u16(high))}};
}
EXL_INLINE Floats load_int8(const uint8_t* p) {
  return widen_int8(vreinterpretq_s8_u8(vld1q_u8(p)));
}
// 8 bytes; low nibbles are even lanes.
EXL_INLINE Floats load_int4(const uint8_t* p) {
  const uint8x8_t bytes = vld1_u8(p);
  const uint8x8x2_t codes = vzip_u8(vand_u8(bytes, vdup_n_u8(15)), vshr_n_u8(bytes, 4));
  return widen_int4(vcombine_u8(codes.val[0], codes.val[1]));
}
// 16 bytes, a lane each.
EXL_INLINE void load_int4_pairs(const uint8_t* p, Floats& low, Floats& high) {
  const uint8x16_t bytes = vld1q_u8(p);
  low = widen_int4(vandq_u8(bytes, vdupq_n_u8(15)));
  high = widen_int4(vshrq_n_u8(bytes, 4));
}

EXL_INLINE Bytes load_bytes(const std::byte* p) {
  return each<Bytes>([=](int i) { return vld1q_u8(reinterpret_cast<const uint8_t*>(p) + 16 * i); });
}
template <int kShift>
EXL_INLINE Bytes shift_mask(const Bytes& a, int mask) {
  const int8x16_t by = vdupq_n_s8(int8_t(-kShift));
  return each<Bytes>(
      [&](int i) { return vandq_u8(vshlq_u8(a.at[i], by), vdupq_n_u8(uint8_t(mask))); });
}
EXL_INLINE Bytes either(const Bytes& a, const Bytes& b) {
  return each<Bytes>([&](int i) { return vorrq_u8(a.at[i], b.at[i]); });
}

EXL_INLINE void prefetch(const std::byte* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  __prefetch(p);
#endif
}

// The dot product takes bytes. Four rows of a chunk are multiplied in two halves: by the high bytes
// of their activations, rounded, then by the low ones, which are signed. Each has sums of its own.
struct Sums {
  Ints at[2];
};
// It takes signed bytes, so codes of 8 bits are moved by -128, and with them their zero point.
template <int kBits>
constexpr int code_offset() {
  return kBits == 8 ? 128 : 0;
}
using Half = Bytes;
template <int kBits, int kHalf>
EXL_INLINE Half half_of(const Bytes& codes) {
  if constexpr (kBits < 8) return codes;
  return each<Half>([&](int i) { return veorq_u8(codes.at[i], vdupq_n_u8(128)); });
}
EXL_INLINE void store_quads(std::byte* p, const Ints& x) {
  for (int i = 0; i < 4; i++) {
    const int32x4_t high = vshrq_n_s32(vaddq_s32(x.at[i], vdupq_n_s32(128)), 8);
    const int32x4_t low = vsubq_s32(x.at[i], vshlq_n_s32(high, 8));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(vmovn_s32(high), vmovn_s32(low)));
    vst1_s8(reinterpret_cast<int8_t*>(p) + 8 * i, bytes);
  }
}
EXL_INLINE int8x16_t broadcast_half(const std::byte* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

EXL_INLINE Sums sums_from(const Ints& start) { return {{set_int(0), start}}; }
EXL_INLINE Ints total(const Sums& sums) {
  return each<Ints>(
      [&](int i) { return vaddq_s32(vshlq_n_s32(sums.at[0].at[i], 8), sums.at[1].at[i]); });
}
// sums[lane] += the products of the codes and activations of a half.
template <int kHalf>
EXL_INLINE void add_dot(Sums& sums, const Half& codes, int8x16_t activations) {
  for (int i = 0; i < 4; i++) {
    int32x4_t& sum = sums.at[kHalf].at[i];
    sum = vdotq_s32(sum, vreinterpretq_s8_u8(codes.at[i]), activations);
  }
}

}  // namespace exl::cpu::EXL_TARGET
