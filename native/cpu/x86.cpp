#include "cpu/x86.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace exl::cpu {

#if defined(__x86_64__) || defined(_M_X64)

namespace {

struct Leaf {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

/// All zero where the processor has no such leaf.
Leaf read(uint32_t leaf, uint32_t subleaf = 0) {
  Leaf result;
#if defined(_MSC_VER) && !defined(__clang__)
  int words[4];
  __cpuid(words, 0);
  if (leaf > uint32_t(words[0])) return result;
  __cpuidex(words, int(leaf), int(subleaf));
  result = {uint32_t(words[0]), uint32_t(words[1]), uint32_t(words[2]), uint32_t(words[3])};
#else
  __get_cpuid_count(leaf, subleaf, &result.a, &result.b, &result.c, &result.d);
#endif
  return result;
}

/// XCR0: which registers the operating system saves. Only where OSXSAVE is set.
uint64_t saved_registers() {
#if defined(_MSC_VER) && !defined(__clang__)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
#endif
}

constexpr bool all(uint64_t word, uint64_t bits) { return (word & bits) == bits; }
constexpr uint32_t bit(unsigned n) { return 1u << n; }

}  // namespace

// Intel's manual, volume 2A, CPUID; volume 1, 13.3 (XCR0).
X86 read_x86() {
  X86 result;
  const Leaf vendor = read(0), basic = read(1), extended = read(7), more = read(7, 1);
  result.amd =
      vendor.b == 0x68747541 && vendor.d == 0x69746e65 && vendor.c == 0x444d4163;  // AuthenticAMD

  constexpr uint32_t fma = bit(12), osxsave = bit(27), avx = bit(28), f16c = bit(29);
  if (!all(basic.c, fma | osxsave | avx | f16c)) return result;
  const uint64_t saved = saved_registers();
  constexpr uint64_t ymm = 0x6, zmm = 0xe6;

  result.avx2 = all(saved, ymm) && all(extended.b, bit(5));
  result.avx_vnni = result.avx2 && extended.a >= 1 && all(more.a, bit(4));
  constexpr uint32_t avx512f = bit(16), avx512dq = bit(17), avx512bw = bit(30), avx512vl = bit(31);
  result.avx512 =
      result.avx2 && all(saved, zmm) && all(extended.b, avx512f | avx512dq | avx512bw | avx512vl);
  result.avx512_vnni = result.avx512 && all(extended.c, bit(11));
  return result;
}

#else

X86 read_x86() { return {}; }

#endif

}  // namespace exl::cpu
