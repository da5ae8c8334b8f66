// A backend in a shared library of its own, opened.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "library/backend_api.h"

namespace exl {

// Stays loaded until the process ends: a CUDA run-time library cannot be unloaded safely.
struct Library {
  std::string path;
  const ExlBackendApi* api = nullptr;
};

struct LibraryCandidate {
  std::string path;
  std::shared_ptr<const Library> library;  // null: it cannot be used
  std::string reason;                      // why
};

// Backend libraries in `place`, a file or a folder; if it is empty, those beside the addon.
std::vector<LibraryCandidate> find_libraries(const std::string& place);

// For a library that is linked in or opened already. Throws DeviceUnavailable if it was built for
// another addon.
std::shared_ptr<const Library> check_library(const ExlBackendApi* api, const std::string& path);

// All devices of a library. Throws DeviceUnavailable if there can be none, saying why.
std::vector<ExlDeviceInfo> list_devices(const Library& library);

// Throws DeviceUnavailable, OutOfMemory.
std::shared_ptr<Backend> open_backend(std::shared_ptr<const Library> library, int index);

// Throws the error behind a code, unless it is EXL_OK.
void check_code(ExlCode code, const ExlMessage& message, const std::string& where = {});

}  // namespace exl
