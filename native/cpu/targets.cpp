// Which target runs here. A target compiles to nothing where its instructions do not exist.
#include <cstdlib>
#include <string>
#include <vector>

#if EXL_CPU_HAS_AVXVNNI && defined(__GNUC__)
#include <cpuid.h>
#endif
#if EXL_CPU_HAS_NEON && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/error.h"
#include "cpu/backend.h"

namespace exl::cpu {

namespace scalar {
extern const Target target;
}
#if EXL_CPU_HAS_AVX2
namespace avx2 {
extern const Target target;
}
#endif
#if EXL_CPU_HAS_AVXVNNI
namespace avxvnni {
extern const Target target;
}
#endif
#if EXL_CPU_HAS_AVX512
namespace avx512 {
extern const Target target;
}
#endif
#if EXL_CPU_HAS_AVX512VNNI
namespace avx512vnni {
extern const Target target;
}
#endif
#if EXL_CPU_HAS_ZEN4
namespace zen4 {
extern const Target target;
}
#endif
#if EXL_CPU_HAS_NEON
namespace neon {
extern const Target target;
}
#endif

namespace {

#if EXL_CPU_HAS_AVXVNNI && defined(__GNUC__)
// Not every compiler that has its instructions has it in __builtin_cpu_supports().
bool avx_vnni_exists() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}
#endif

#if EXL_CPU_HAS_NEON
bool neon_dot_product_runs() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return true;  // every Apple and Windows processor that Node runs on has it
#endif
}
#endif

}  // namespace

std::vector<const Target*> usable_targets() {
  std::vector<const Target*> usable;
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
  __builtin_cpu_init();
  [[maybe_unused]] const bool avx2_runs = __builtin_cpu_supports("avx2") &&
                                          __builtin_cpu_supports("fma") &&
                                          __builtin_cpu_supports("f16c");
  [[maybe_unused]] const bool avx512_runs =
      avx2_runs && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  [[maybe_unused]] const bool avx512vnni_runs = avx512_runs && __builtin_cpu_supports("avx512vnni");
#if EXL_CPU_HAS_ZEN4
  if (avx512vnni_runs && __builtin_cpu_is("amd")) usable.push_back(&zen4::target);
#endif
#if EXL_CPU_HAS_AVX512VNNI
  if (avx512vnni_runs) usable.push_back(&avx512vnni::target);
#endif
#if EXL_CPU_HAS_ZEN4
  // Runs on all others too, only slower: what it computes is tested everywhere.
  if (avx512vnni_runs && !__builtin_cpu_is("amd")) usable.push_back(&zen4::target);
#endif
#if EXL_CPU_HAS_AVX512
  if (avx512_runs) usable.push_back(&avx512::target);
#endif
#if EXL_CPU_HAS_AVXVNNI
  if (avx2_runs && avx_vnni_exists()) usable.push_back(&avxvnni::target);
#endif
#if EXL_CPU_HAS_AVX2
  if (avx2_runs) usable.push_back(&avx2::target);
#endif
#endif
#if EXL_CPU_HAS_NEON
  if (neon_dot_product_runs()) usable.push_back(&neon::target);
#endif
  usable.push_back(&scalar::target);
  return usable;
}

const Target& best_target() {
  const std::vector<const Target*> usable = usable_targets();
  const char* wanted = std::getenv("EXL_CPU_TARGET");
  if (!wanted || !*wanted) return *usable.front();
  std::string names;
  for (const Target* target : usable) {
    if (std::string(wanted) == target->name) return *target;
    names += std::string(" ") + target->name;
  }
  throw Error(Code::InvalidArgument, std::string("EXL_CPU_TARGET is ") + wanted +
                                         ", this processor and build run:" + names);
}

}  // namespace exl::cpu
