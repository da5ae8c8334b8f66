// The driver that is installed.
#include "cuda/driver.h"

#include <cuda_runtime_api.h>

#include <type_traits>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "cuda/nvml.h"

#ifndef EXL_CUDA_BUILD
#define EXL_CUDA_BUILD "CUDA"
#endif

namespace exl::cuda {

namespace {

#ifdef _WIN32
constexpr const char* kLibrary = "nvcuda.dll";
void* open(const char* name) { return LoadLibraryA(name); }
void* find(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
#else
constexpr const char* kLibrary = "libcuda.so.1";
void* open(const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
void* find(void* library, const char* name) { return dlsym(library, name); }
#endif

// Failures of launches come from the run time; errors that stay are reported by the driver, too.
Result launch_error() { return Result(cudaGetLastError()); }

struct Found {
  Driver driver{};
  std::string reason;

  Found() {
    void* library = open(kLibrary);
    if (!library) {
      reason = std::string("there is no NVIDIA driver: ") + kLibrary + " cannot be opened";
      return;
    }
    const auto get = [&](auto& field, const char* name) {
      field = reinterpret_cast<std::remove_reference_t<decltype(field)>>(find(library, name));
      if (!field && reason.empty())
        reason = std::string("the NVIDIA driver is too old: it has no ") + name;
    };
#define EXL_GET(field, name, parameters) get(driver.field, name);
    EXL_DRIVER_FUNCTIONS(EXL_GET)
#undef EXL_GET
    driver.launch_error = launch_error;
    driver.free_bytes = nvml_free_bytes;
    // Any driver of the same major version runs what a toolkit built; the oldest supported is 12.4.
    driver.required_version = CUDART_VERSION >= 13000 ? CUDART_VERSION / 1000 * 1000 : 12040;
  }
};

}  // namespace

const char* const kKind = "cuda";
const char* const kBuild = EXL_CUDA_BUILD;

const Driver* find_driver(std::string& reason) {
  static const Found found;
  reason = found.reason;
  return reason.empty() ? &found.driver : nullptr;
}

}  // namespace exl::cuda
