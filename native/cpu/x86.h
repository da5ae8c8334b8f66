#pragma once

// What an x86 processor says of itself. Compilers' own __builtin_cpu_supports() is no help here:
// Clang's needs symbols of a run-time library that not every linker has, neither knows all of these
// names, and MSVC has none.

namespace exl::cpu {

struct X86 {
  bool amd = false;
  bool avx2 = false;    // with FMA, F16C, and an operating system that saves the registers
  bool avx512 = false;  // and F, BW, VL, DQ, and the larger registers
  bool avx512_vnni = false;
  bool avx_vnni = false;
};

/// Nothing but false on other processors.
X86 read_x86();

}  // namespace exl::cpu
