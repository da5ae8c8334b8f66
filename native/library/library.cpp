#include "library/library.h"

#include <filesystem>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>

#include "base/error.h"
#endif

namespace exl {

namespace {

namespace fs = std::filesystem;

#ifdef _WIN32

constexpr const char* kNames[] = {"exl_cuda.dll", "exl_emulator.dll"};

fs::path own_folder() {
  HMODULE self = nullptr;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
      reinterpret_cast<LPCWSTR>(&own_folder), &self);
  wchar_t path[32768];
  return fs::path(std::wstring(path, GetModuleFileNameW(self, path, 32768))).parent_path();
}

ExlBackendEntry open_entry(const fs::path& path, std::string& reason) {
  const HMODULE module = LoadLibraryW(path.c_str());
  if (!module) {
    reason = "it cannot be opened: error " + std::to_string(GetLastError());
    return nullptr;
  }
  const auto entry = reinterpret_cast<ExlBackendEntry>(GetProcAddress(module, EXL_BACKEND_ENTRY));
  if (!entry) reason = "it is not a backend of node-exllama";
  return entry;
}

#else

constexpr const char* kNames[] = {"libexl_cuda.so", "libexl_emulator.so"};

fs::path own_folder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&open_backend), &info) || !info.dli_fname) return {};
  std::error_code ignored;
  return fs::absolute(info.dli_fname, ignored).parent_path();
}

ExlBackendEntry open_entry(const fs::path& path, std::string& reason) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) {
    const char* error = dlerror();
    reason = std::string("it cannot be opened: ") + (error ? error : "no reason was given");
    return nullptr;
  }
  const auto entry = reinterpret_cast<ExlBackendEntry>(dlsym(handle, EXL_BACKEND_ENTRY));
  if (!entry) reason = "it is not a backend of node-exllama";
  return entry;
}

#endif

std::string mismatch(const ExlBackendApi* api) {
  if (!api) return "it is not a backend of node-exllama";
  if (api->abi == EXL_BACKEND_ABI) return {};
  return "it speaks version " + std::to_string(api->abi) + " of the interface, this addon speaks " +
         std::to_string(EXL_BACKEND_ABI) + ": both must come from the same release";
}

LibraryCandidate candidate(const fs::path& path) {
  LibraryCandidate found{path.string(), nullptr, {}};
  const ExlBackendEntry entry = open_entry(path, found.reason);
  if (!entry) return found;
  const ExlBackendApi* api = entry();
  found.reason = mismatch(api);
  if (found.reason.empty())
    found.library = std::make_shared<const Library>(Library{found.path, api});
  return found;
}

Code code_of(ExlCode code) {
  switch (code) {
    case EXL_OUT_OF_MEMORY:
      return Code::OutOfMemory;
    case EXL_DEVICE_UNAVAILABLE:
      return Code::DeviceUnavailable;
    case EXL_DEVICE_LOST:
      return Code::DeviceLost;
    case EXL_UNSUPPORTED_OP:
      return Code::UnsupportedOp;
    case EXL_INVALID_ARGUMENT:
      return Code::InvalidArgument;
    default:
      return Code::Internal;
  }
}

}  // namespace

std::vector<LibraryCandidate> find_libraries(const std::string& place) {
  std::error_code ignored;
  if (!place.empty() && !fs::is_directory(place, ignored)) return {candidate(place)};
  // The emulator is for those who ask for it.
  const bool asked = !place.empty();
  const fs::path folder = asked ? fs::path(place) : own_folder();
  std::vector<LibraryCandidate> found;
  for (const char* name : kNames) {
    const fs::path path = folder / name;
    if (fs::exists(path, ignored) && (asked || name == kNames[0])) found.push_back(candidate(path));
  }
  if (found.empty())
    found.push_back({(folder / kNames[0]).string(), nullptr, "the file does not exist"});
  return found;
}

std::shared_ptr<const Library> check_library(const ExlBackendApi* api, const std::string& path) {
  const std::string objection = mismatch(api);
  if (!objection.empty()) throw Error(Code::DeviceUnavailable, path + ": " + objection);
  return std::make_shared<const Library>(Library{path, api});
}

std::vector<ExlDeviceInfo> list_devices(const Library& library) {
  ExlMessage message{};
  std::vector<ExlDeviceInfo> list(64);
  int32_t count = 0;
  check_code(library.api->list_devices(list.data(), int32_t(list.size()), &count, &message),
             message);
  list.resize(size_t(count));
  return list;
}

void check_code(ExlCode code, const ExlMessage& message, const std::string& where) {
  if (code != EXL_OK) throw Error(code_of(code), message.text, where);
}

}  // namespace exl
