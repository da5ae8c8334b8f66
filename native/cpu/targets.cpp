// Which target runs here. A target compiles to nothing where its instructions do not exist.
#include <cstdlib>
#include <string>
#include <vector>

#if EXL_CPU_HAS_NEON && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/error.h"
#include "cpu/backend.h"
#include "cpu/x86.h"

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
  [[maybe_unused]] const X86 x86 = read_x86();
#if EXL_CPU_HAS_ZEN4
  if (x86.avx512_vnni && x86.amd) usable.push_back(&zen4::target);
#endif
#if EXL_CPU_HAS_AVX512VNNI
  if (x86.avx512_vnni) usable.push_back(&avx512vnni::target);
#endif
#if EXL_CPU_HAS_ZEN4
  // Runs on all others too, only slower: what it computes is tested everywhere.
  if (x86.avx512_vnni && !x86.amd) usable.push_back(&zen4::target);
#endif
#if EXL_CPU_HAS_AVX512
  if (x86.avx512) usable.push_back(&avx512::target);
#endif
#if EXL_CPU_HAS_AVXVNNI
  if (x86.avx_vnni) usable.push_back(&avxvnni::target);
#endif
#if EXL_CPU_HAS_AVX2
  if (x86.avx2) usable.push_back(&avx2::target);
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
