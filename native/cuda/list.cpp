#include "cuda/list.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cuda/device.h"

namespace exl::cuda {

namespace {

// Turing: the first with the tensor-core instructions that kernels use.
constexpr int kLeastMajor = 7, kLeastMinor = 5;

std::string version_text(int version) {  // 12040 is 12.4
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

[[noreturn]] void unavailable(const std::string& why) { throw Error(Code::DeviceUnavailable, why); }

void check(const Driver& driver, Result result, const char* call) {
  if (result != kSuccess)
    unavailable("the NVIDIA driver failed in " + std::string(call) + ": " +
                result_text(driver, result));
}

// The number of devices of a driver that can be used.
int count_devices(const Driver& driver) {
  int version = 0;
  check(driver, driver.driver_version(&version), "cuDriverGetVersion");
  if (version < driver.required_version)
    unavailable("the NVIDIA driver is too old: it supports CUDA " + version_text(version) +
                ", this build needs " + version_text(driver.required_version) +
                " or newer; update the driver");
  const Result started = driver.init(0);
  if (started == kNoDevice) unavailable("the NVIDIA driver finds no GPU");
  check(driver, started, "cuInit");
  int count = 0;
  check(driver, driver.device_count(&count), "cuDeviceGetCount");
  if (count == 0) unavailable("the NVIDIA driver finds no GPU");
  return count;
}

// Why a device is too old; empty if it is not.
std::string objection(const Driver& driver, int index) {
  int major = 0, minor = 0;
  check(driver, driver.device_attribute(&major, kMajor, index), "cuDeviceGetAttribute");
  check(driver, driver.device_attribute(&minor, kMinor, index), "cuDeviceGetAttribute");
  if (major > kLeastMajor || (major == kLeastMajor && minor >= kLeastMinor)) return {};
  return "its compute capability is " + std::to_string(major) + "." + std::to_string(minor) +
         ", and " + std::to_string(kLeastMajor) + "." + std::to_string(kLeastMinor) +
         " (Turing) or newer is needed";
}

}  // namespace

int list_devices(const Driver& driver, ExlDeviceInfo* infos, int capacity) {
  const int count = std::min(count_devices(driver), capacity);
  for (int i = 0; i < count; i++) {
    ExlDeviceInfo& info = infos[i] = {};
    size_t total = 0, free = 0;
    check(driver, driver.device_name(info.name, sizeof info.name, i), "cuDeviceGetName");
    check(driver, driver.device_bytes(&total, i), "cuDeviceTotalMem");
    char bus_id[32] = {};
    check(driver, driver.device_bus_id(bus_id, sizeof bus_id, i), "cuDeviceGetPCIBusId");
    const std::string reason = objection(driver, i);
    std::snprintf(info.reason, sizeof info.reason, "%s", reason.c_str());
    info.usable = reason.empty();
    info.total_bytes = total;
    info.free_bytes = driver.free_bytes(bus_id, &free) ? free : 0;
  }
  return count;
}

void require_usable(const Driver& driver, int index) {
  const int count = count_devices(driver);
  const std::string name = std::string(kKind) + ":" + std::to_string(index);
  if (index < 0 || index >= count)
    unavailable("there is no " + name + ": this machine has " + std::to_string(count) +
                (count == 1 ? " device" : " devices"));
  const std::string reason = objection(driver, index);
  if (!reason.empty()) unavailable(name + " cannot be used: " + reason);
}

}  // namespace exl::cuda
