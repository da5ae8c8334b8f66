// Which backends there are, and opening a device of one.
#include "cpu/backend.h"
#include "base/error.h"
#include "library/library.h"
#include "napi/functions.h"
#include "napi/read.h"
#include "reference/reference.h"

namespace exl {

namespace {

Napi::Object describe(Napi::Env env, const ExlDeviceInfo& info) {
  Napi::Object device = Napi::Object::New(env);
  device.Set("name", info.name);
  device.Set("totalBytes", double(info.total_bytes));
  device.Set("freeBytes", double(info.free_bytes));
  device.Set("usable", info.usable != 0);
  device.Set("reason", info.reason);
  return device;
}

Napi::Object describe(Napi::Env env, const LibraryCandidate& candidate) {
  Napi::Object result = Napi::Object::New(env);
  Napi::Array devices = Napi::Array::New(env);
  std::string reason = candidate.reason;
  if (candidate.library) {
    result.Set("kind", candidate.library->api->kind);
    result.Set("build", candidate.library->api->build);
    try {
      const std::vector<ExlDeviceInfo> list = list_devices(*candidate.library);
      for (uint32_t i = 0; i < list.size(); i++) devices.Set(i, describe(env, list[i]));
    } catch (const Error& error) {
      reason = error.what();
    }
  }
  result.Set("path", candidate.path);
  result.Set("devices", devices);
  result.Set("reason", reason);
  return result;
}

std::shared_ptr<Backend> open(const std::string& kind, int index, const std::string& place) {
  if (kind == "cpu") return cpu::make_backend();
  if (kind == "reference") return reference::make_backend();
  std::string reasons;
  for (const LibraryCandidate& candidate : find_libraries(place)) {
    if (candidate.library && kind == candidate.library->api->kind)
      return open_backend(candidate.library, index);
    if (!candidate.library) reasons += "; " + candidate.path + ": " + candidate.reason;
  }
  throw Error(Code::DeviceUnavailable, "there is no backend for " + kind + reasons);
}

}  // namespace

// backends(place) -> [{path, kind?, build?, devices, reason}]. `place` is a file or a folder; the
// folder of the addon if it is empty.
Napi::Value backends(const Napi::CallbackInfo& info) {
  const std::vector<LibraryCandidate> found = find_libraries(text(info[0], "place"));
  Napi::Array result = Napi::Array::New(info.Env(), found.size());
  for (uint32_t i = 0; i < found.size(); i++) result.Set(i, describe(info.Env(), found[i]));
  return result;
}

// openDevice(kind, index, place) -> device
Napi::Value open_device(const Napi::CallbackInfo& info) {
  const auto device = std::make_shared<Device>();
  device->kind = text(info[0], "kind");
  device->backend = open(device->kind, int(integer(info[1], "index")), text(info[2], "place"));
  return Napi::Number::New(info.Env(), Environment::of(info.Env()).add_device(device));
}

}  // namespace exl
