#include "cuda/nvml.h"

#include <type_traits>

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace exl::cuda {

#ifdef _WIN32

bool nvml_free_bytes(const char*, size_t*) { return false; }

#else

namespace {

struct NvmlMemory {
  unsigned long long total, free, used;
};

struct Nvml {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*by_bus_id)(const char*, void**) = nullptr;
  int (*memory)(void*, NvmlMemory*) = nullptr;

  Nvml() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    const auto get = [&](auto& field, const char* name) {
      field = reinterpret_cast<std::remove_reference_t<decltype(field)>>(dlsym(library, name));
    };
    get(init, "nvmlInit_v2");
    get(shutdown, "nvmlShutdown");
    get(by_bus_id, "nvmlDeviceGetHandleByPciBusId_v2");
    get(memory, "nvmlDeviceGetMemoryInfo");
  }
};

}  // namespace

bool nvml_free_bytes(const char* bus_id, size_t* bytes) {
  static const Nvml nvml;
  if (!nvml.init || !nvml.shutdown || !nvml.by_bus_id || !nvml.memory) return false;
  if (nvml.init() != 0) return false;
  void* device = nullptr;
  NvmlMemory memory{};
  const bool known = nvml.by_bus_id(bus_id, &device) == 0 && nvml.memory(device, &memory) == 0;
  nvml.shutdown();
  if (known) *bytes = size_t(memory.free);
  return known;
}

#endif

}  // namespace exl::cuda
