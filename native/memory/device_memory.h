// Memory of a device of its own, and the way there.
#pragma once

#include <cstddef>
#include <string>

#include "memory/ledger.h"

namespace exl {

// Where a buffer lies. Pinned memory is the host's, and the device copies it by itself.
enum class Place { Host, Pinned, Device };

class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  // From any thread. Device memory is zeroed. `reserved` is what was taken from the system for it.
  // Throws OutOfMemory, DeviceLost.
  virtual void* take(Place place, size_t bytes, size_t* reserved, Kind kind,
                     const std::string& label, const std::string& owner) = 0;
  // Returns what goes back to the system.
  virtual size_t give(Place place, void* address, size_t reserved) = 0;
  // At once, to memory nothing in flight uses. From any thread.
  virtual void write(void* device, const void* host, size_t bytes) = 0;

  // On the engine thread, in order with launches. If the host memory is pinned they return at once
  // and it must stay as it is until the next synchronize().
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  // Waits, if anything is under way.
  virtual void synchronize() = 0;
};

}  // namespace exl
