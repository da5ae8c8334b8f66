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

// A failure is told once, to who called: nobody else finds it with cudaGetLastError().
Result told(cudaError_t result) {
  if (result != cudaSuccess) cudaGetLastError();
  return Result(result);
}

Result function_info(Function function, FunctionInfo* info) {
  cudaFuncAttributes attributes{};
  const Result result = told(cudaFuncGetAttributes(&attributes, function));
  *info = {attributes.ptxVersion, attributes.sharedSizeBytes};
  return result;
}

Result function_shared(Function function, int most_bytes, int percent) {
  const Result result =
      told(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, most_bytes));
  if (result != kSuccess) return result;
  return told(
      cudaFuncSetAttribute(function, cudaFuncAttributePreferredSharedMemoryCarveout, percent));
}

Result launch(const Launch& l, bool overlaps) {
  cudaLaunchConfig_t config{};
  config.gridDim = {l.grid[0], l.grid[1], l.grid[2]};
  config.blockDim = {l.block[0], l.block[1], l.block[2]};
  config.dynamicSmemBytes = l.shared_bytes;
  config.stream = l.stream;
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &overlap;
  config.numAttrs = overlaps ? 1 : 0;
  return told(cudaLaunchKernelExC(&config, l.function, l.arguments));
}

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
    driver.function_info = function_info;
    driver.function_shared = function_shared;
    driver.launch = launch;
    driver.free_bytes = nvml_free_bytes;
    driver.page_bytes = size_t(2) << 20;
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
