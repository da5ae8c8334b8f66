// 16 lanes in two AVX2 registers, with FMA and F16C. With AVX-VNNI (EXL_SIMD_VNNI) products are
// added to sums in one instruction.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace exl::cpu::EXL_TARGET {

struct Floats {
  __m256 low, high;
};
struct Ints {
  __m256i low, high;
};
using Bytes = Ints;

// Register blocks that fit 16 registers.
constexpr int kQuantRows = 4, kQuantTiles = 1, kQuantSums = 2, kFloatRows = 2, kFloatColumns = 2,
              kScoreQueries = 4, kScoreVectors = 1, kSingleVectors = 4;

inline Floats set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Floats x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}
inline Floats load_partial(const float* p, int n) {
  float all[16] = {};
  for (int i = 0; i < n; i++) all[i] = p[i];
  return load(all);
}
inline void store_partial(float* p, Floats x, int n) {
  float all[16];
  store(all, x);
  for (int i = 0; i < n; i++) p[i] = all[i];
}
inline __m128i load8(const uint16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline Floats load_half(const uint16_t* p) {
  return {_mm256_cvtph_ps(load8(p)), _mm256_cvtph_ps(load8(p + 8))};
}
inline Floats load_bfloat(const uint16_t* p) {
  const auto widen = [](__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  };
  return {widen(load8(p)), widen(load8(p + 8))};
}
inline void store_half(uint16_t* p, Floats x) {
  constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.low, nearest));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(x.high, nearest));
}
inline Floats add(Floats a, Floats b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline Floats mul(Floats a, Floats b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline Floats div(Floats a, Floats b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Floats max(Floats a, Floats b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline Floats min(Floats a, Floats b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
inline Floats abs(Floats a) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  return {_mm256_and_ps(a.low, magnitude), _mm256_and_ps(a.high, magnitude)};
}
inline float reduce_add(Floats a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inline float reduce_max(Floats a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

inline Ints set_int(int x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline Ints load_ints(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
inline void store_int8(int8_t* p, Ints x) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xd8);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
inline Ints mul_int(Ints a, Ints b) {
  return {_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
}
inline Ints add_int(Ints a, Ints b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
inline int reduce_add_int(Ints a) {
  const __m256i eight = _mm256_add_epi32(a.low, a.high);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
  return _mm_cvtsi128_si32(four);
}
inline Floats to_floats(Ints a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
inline Ints to_ints(Floats a) { return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
inline Floats times_power_of_two(Floats a, Ints n) {
  const auto power = [](__m256i exponent) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23));
  };
  return {_mm256_mul_ps(a.low, power(n.low)), _mm256_mul_ps(a.high, power(n.high))};
}

// Codes of a cache (see core/cache.h), 16 at a time. A shuffle turns 4 bits into 2 code - 15.
inline __m128i load16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline Floats widen_int8(__m128i bytes) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline Floats widen_int4(__m128i codes) {
  const __m128i odd = _mm_setr_epi8(-15, -13, -11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11, 13, 15);
  return widen_int8(_mm_shuffle_epi8(odd, codes));
}
inline __m128i low_nibbles(__m128i bytes) { return _mm_and_si128(bytes, _mm_set1_epi8(15)); }
inline __m128i high_nibbles(__m128i bytes) { return low_nibbles(_mm_srli_epi16(bytes, 4)); }
inline Floats load_e5m2(const uint8_t* p) {
  const __m128i zero = _mm_setzero_si128(), bytes = load16(p);
  return {_mm256_cvtph_ps(_mm_unpacklo_epi8(zero, bytes)),
          _mm256_cvtph_ps(_mm_unpackhi_epi8(zero, bytes))};
}
inline Floats load_int8(const uint8_t* p) {
  const auto widen = [](const uint8_t* from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  };
  return {widen(p), widen(p + 8)};
}
// 8 bytes; low nibbles are even lanes.
inline Floats load_int4(const uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return widen_int4(_mm_unpacklo_epi8(low_nibbles(bytes), high_nibbles(bytes)));
}
// 16 bytes, a lane each.
inline void load_int4_pairs(const uint8_t* p, Floats& low, Floats& high) {
  const __m128i bytes = load16(p);
  low = widen_int4(low_nibbles(bytes));
  high = widen_int4(high_nibbles(bytes));
}

inline Bytes load_bytes(const std::byte* p) {
  const auto* from = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)};
}
// Shifts 16-bit lanes right (or left if negative), then masks every byte.
template <int kShift>
inline Bytes shift_mask(Bytes a, int mask) {
  if constexpr (kShift > 0)
    a = {_mm256_srli_epi16(a.low, kShift), _mm256_srli_epi16(a.high, kShift)};
  if constexpr (kShift < 0)
    a = {_mm256_slli_epi16(a.low, -kShift), _mm256_slli_epi16(a.high, -kShift)};
  const __m256i m = _mm256_set1_epi8(char(mask));
  return {_mm256_and_si256(a.low, m), _mm256_and_si256(a.high, m)};
}
inline Bytes either(Bytes a, Bytes b) {
  return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}

inline void prefetch(const std::byte* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
}

// Four rows of a chunk are multiplied in two halves of 16-bit words, rows 0 and 2, then 1 and 3:
// so they come out of a vector of bytes.
using Half = Ints;
template <int kBits, int kHalf>
inline Half half_of(Bytes codes) {
  if constexpr (kHalf) return {_mm256_srli_epi16(codes.low, 8), _mm256_srli_epi16(codes.high, 8)};
  const __m256i low_byte = _mm256_set1_epi16(255);
  return {_mm256_and_si256(codes.low, low_byte), _mm256_and_si256(codes.high, low_byte)};
}
inline void store_quads(std::byte* p, Ints x) {
  constexpr int even_first = _MM_SHUFFLE(3, 1, 2, 0);
  const __m256i words = _mm256_packs_epi32(_mm256_shuffle_epi32(x.low, even_first),
                                           _mm256_shuffle_epi32(x.high, even_first));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(words, even_first));
}
inline Half broadcast_half(const std::byte* p) {
  int32_t pair;
  memcpy(&pair, p, 4);
  return set_int(pair);
}

using Sums = Ints;
template <int kBits>
constexpr int code_offset() {
  return 0;
}
inline Sums sums_from(Ints start) { return start; }
inline Ints total(Sums sums) { return sums; }
// sums[lane] += the products of the codes and activations of a half.
template <int kHalf>
inline void add_dot(Sums& sums, Half codes, Half activations) {
#ifdef EXL_SIMD_VNNI
  sums = {_mm256_dpwssd_avx_epi32(sums.low, codes.low, activations.low),
          _mm256_dpwssd_avx_epi32(sums.high, codes.high, activations.high)};
#else
  sums = {_mm256_add_epi32(sums.low, _mm256_madd_epi16(codes.low, activations.low)),
          _mm256_add_epi32(sums.high, _mm256_madd_epi16(codes.high, activations.high))};
#if defined(__GNUC__)
  asm("" : "+x"(sums.low), "+x"(sums.high));  // or else GCC keeps all products to add them later
#endif
#endif
}

}  // namespace exl::cpu::EXL_TARGET
