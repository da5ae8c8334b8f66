// Each function of the fake driver as it is called: by name, on a list, and failing when it is told
// to.
#pragma once

#include <string_view>

#include "test/fake_driver/state.h"

namespace exl::fake {

using cuda::kSuccess;
using cuda::Result;

// After these cuda.h has every call of the context fail.
inline bool loses_device(Result result) {
  return result == 700 || result == 702 || result == 709 || result == 710 ||
         (result >= 714 && result <= 719);
}

// The failure on demand, if it is this call's turn.
inline Result injected(const char* name) {
  State& s = state();
  s.calls.push_back(name);
  if (int64_t(s.calls.size()) != s.settings.fail_at) return kSuccess;
  if (current() && loses_device(s.settings.fail_with)) current()->lost = s.settings.fail_with;
  return s.settings.fail_with;
}

// What texts an error has is no call, and nobody could go on without a context to pop.
constexpr bool fails(std::string_view name) {
  return !name.starts_with("cuGetError") && !name.starts_with("cuCtxPop");
}
// These do what they are there for all the same: the error is that of something earlier.
constexpr bool gives_back(std::string_view name) {
  return name.find("Free") < name.size() || name.find("Destroy") < name.size() ||
         name.find("Release") < name.size();
}

template <auto function, const auto& name>
struct Call;
template <typename... Parameters, Result (*function)(Parameters...), const auto& name>
struct Call<function, name> {
  static Result run(Parameters... parameters) {
    const std::lock_guard lock(state().mutex);
    const Result failure = fails(name) ? injected(name) : kSuccess;
    if (failure && name == std::string_view("cuCtxPushCurrent_v2")) state().left_behind = true;
    if (failure && !gives_back(name)) return failure;
    const Result result = function(parameters...);
    return failure ? failure : result;
  }
};

namespace names {
#define EXL_NAME(field, name, parameters) constexpr char field[] = name;
EXL_DRIVER_FUNCTIONS(EXL_NAME)
#undef EXL_NAME
constexpr char function_info[] = "cudaFuncGetAttributes";
constexpr char function_shared[] = "cudaFuncSetAttribute";
constexpr char launch[] = "cudaLaunchKernelExC";
}  // namespace names

}  // namespace exl::fake
