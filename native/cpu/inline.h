// For kernels that are too long for a compiler to inline, or to leave apart, of its own accord.
#pragma once

#if defined(_MSC_VER)
#define EXL_INLINE __forceinline
#define EXL_NOINLINE __declspec(noinline)
#else
#define EXL_INLINE [[gnu::always_inline]] inline
#define EXL_NOINLINE [[gnu::noinline]]
#endif

// Before a loop over registers: Clang would leave a long one rolled, and what it indexes in memory.
#if defined(__clang__)
#define EXL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define EXL_UNROLL
#endif
