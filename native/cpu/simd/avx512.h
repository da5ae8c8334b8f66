// 16 lanes in one AVX-512 register. With VNNI (EXL_SIMD_VNNI) products are added to sums in one
// instruction; some of them can be taken in pairs (EXL_SIMD_PAIRED, kernels/paired.inl).
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace exl::cpu::EXL_TARGET {

using Floats = __m512;
using Ints = __m512i;
using Bytes = __m512i;

// Register blocks that fit 32 registers.
constexpr int kQuantRows = 8, kQuantTiles = 2, kQuantSums = 8, kFloatRows = 4, kFloatColumns = 4,
              kScoreQueries = 4, kScoreVectors = 2, kSingleVectors = 4;

inline __mmask16 first(int n) { return __mmask16((1u << n) - 1); }

inline Floats set(float x) { return _mm512_set1_ps(x); }
inline Floats load(const float* p) { return _mm512_loadu_ps(p); }
inline Floats load_partial(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
inline void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
inline void store_partial(float* p, Floats x, int n) { _mm512_mask_storeu_ps(p, first(n), x); }
inline Floats load_half(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Floats load_bfloat(const uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline void store_half(uint16_t* p, Floats x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
inline Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
inline Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats abs(Floats a) { return _mm512_abs_ps(a); }
inline float reduce_add(Floats a) { return _mm512_reduce_add_ps(a); }
inline float reduce_max(Floats a) { return _mm512_reduce_max_ps(a); }

inline Ints set_int(int x) { return _mm512_set1_epi32(x); }
inline Ints load_ints(const uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline void store_int8(int8_t* p, Ints x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
}
inline Ints mul_int(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
inline Ints add_int(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
inline int reduce_add_int(Ints a) { return _mm512_reduce_add_epi32(a); }
inline Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
inline Ints to_ints(Floats a) { return _mm512_cvtps_epi32(a); }
inline Floats times_power_of_two(Floats a, Ints n) { return _mm512_scalef_ps(a, to_floats(n)); }

// Codes of a cache (see core/cache.h), 16 at a time. A permutation, which looks at the low 4 bits
// of a lane, turns them into 2 code - 15.
inline __m128i load16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline Floats widen_int4(__m512i codes) {
  const __m512 odd = _mm512_setr_ps(-15, -13, -11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11, 13, 15);
  return _mm512_permutexvar_ps(codes, odd);
}
inline Floats load_e5m2(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(load16(p)), 8));
}
inline Floats load_int8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load16(p)));
}
// 8 bytes; low nibbles are even lanes.
inline Floats load_int4(const uint8_t* p) {
  const __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return widen_int4(_mm512_or_si512(bytes, _mm512_slli_epi64(bytes, 28)));
}
// 16 bytes, a lane each.
inline void load_int4_pairs(const uint8_t* p, Floats& low, Floats& high) {
  const __m512i bytes = _mm512_cvtepu8_epi32(load16(p));
  low = widen_int4(bytes);
  high = widen_int4(_mm512_srli_epi32(bytes, 4));
}

inline Bytes load_bytes(const std::byte* p) { return _mm512_loadu_si512(p); }
// Shifts 16-bit lanes right (or left if negative), then masks every byte.
template <int kShift>
inline Bytes shift_mask(Bytes a, int mask) {
  if constexpr (kShift > 0) a = _mm512_srli_epi16(a, kShift);
  if constexpr (kShift < 0) a = _mm512_slli_epi16(a, -kShift);
  return _mm512_and_si512(a, _mm512_set1_epi8(char(mask)));
}
inline Bytes either(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }

inline void prefetch(const std::byte* p) { _mm_prefetch(p, _MM_HINT_T0); }

// Four rows of a chunk are multiplied in two halves of 16-bit words, rows 0 and 2, then 1 and 3:
// so they come out of a vector of bytes.
using Half = __m512i;
template <int kBits, int kHalf>
inline Half half_of(Bytes codes) {
  return kHalf ? _mm512_srli_epi16(codes, 8) : _mm512_and_si512(codes, _mm512_set1_epi16(255));
}
inline void store_quads(std::byte* p, Ints x) {
  const __m256i words = _mm512_cvtepi32_epi16(_mm512_shuffle_epi32(x, _MM_PERM_DBCA));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), words);
}
inline Half broadcast_half(const std::byte* p) {
  int32_t pair;
  memcpy(&pair, p, 4);
  return _mm512_set1_epi32(pair);
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
  sums = _mm512_dpwssd_epi32(sums, codes, activations);
#else
  sums = _mm512_add_epi32(sums, _mm512_madd_epi16(codes, activations));
#if defined(__GNUC__)
  asm("" : "+v"(sums));  // or else GCC keeps all products and adds them in the end
#endif
#endif
}

#ifdef EXL_SIMD_PAIRED
inline Half add_words(Half a, Half b) { return _mm512_add_epi16(a, b); }
inline Ints sub_int(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
// sums += the products of the two halves of quads 0, 2, 4 and 6, out of 8 that store_quads() wrote.
inline void add_input_pairs(Ints& sums, const std::byte* words) {
  const __m512i halves = _mm512_loadu_si512(words);
  const __m512i first_of_even = _mm512_maskz_mov_epi32(0x1111, halves);
  sums = _mm512_dpwssd_epi32(sums, first_of_even, _mm512_shuffle_epi32(halves, _MM_PERM_CDAB));
}
// Lanes may overflow together, where reduce_add_int() must not.
inline int sum_of_pairs(Ints a) {
  const __m256i eight =
      _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
  const __m128i four =
      _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, _MM_SHUFFLE(2, 3, 0, 1))));
}
#endif

}  // namespace exl::cpu::EXL_TARGET
