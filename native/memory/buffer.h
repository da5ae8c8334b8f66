// Memory that is on the ledger from birth to death. On the host, pages come straight from the
// operating system and go straight back, so freeing a buffer lowers the process's resident size at
// once; no heap keeps them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "memory/device_memory.h"

namespace exl {

class Buffer {
 public:
  // Zeroed, page-aligned. Throws OutOfMemory.
  Buffer(std::shared_ptr<Ledger> ledger, size_t bytes, Kind kind, std::string label,
         std::string owner);
  // Throws OutOfMemory, DeviceLost. Device memory must be reached through `memory`.
  Buffer(std::shared_ptr<Ledger> ledger, std::shared_ptr<DeviceMemory> memory, Place place,
         size_t bytes, Kind kind, std::string label, std::string owner);
  // A mapping of a file that starts `before` bytes ahead of the buffer. The pages belong to the
  // file: nothing is reserved for them. It is the buffer's once the constructor has returned.
  Buffer(std::shared_ptr<Ledger> ledger, void* mapping, size_t before, size_t bytes,
         std::string label, std::string owner);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Host memory may be found only when it is first touched, which takes longer than many a step:
  // this has part of it found now. Nothing changes if there is none, or if it is elsewhere.
  void back(size_t offset, size_t bytes) const;

  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  // The others begin with it, so that what they have taken is given back if the ledger fails.
  Buffer(std::shared_ptr<Ledger> ledger, size_t bytes);

  std::shared_ptr<Ledger> ledger_;
  std::shared_ptr<DeviceMemory> memory_;  // null: plain host memory
  Place place_ = Place::Host;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  size_t reserved_ = 0;
  size_t mapped_before_ = 0;
  bool is_mapping_ = false;
  uint64_t id_ = 0;
};

using BufferPtr = std::shared_ptr<Buffer>;

// Makes the buffers of one owner on one device.
struct Allocator {
  std::shared_ptr<Ledger> ledger;
  std::string owner;
  std::shared_ptr<DeviceMemory> memory = nullptr;  // null: the device computes in host memory

  // Where the device computes; staging is plain host memory.
  BufferPtr operator()(size_t bytes, Kind kind, std::string label) const {
    return make(kind == Kind::Staging ? Place::Host : Place::Device, bytes, kind, std::move(label));
  }
  // Staging for what the device copies by itself, and on the device.
  BufferPtr pinned(size_t bytes, std::string label) const {
    return make(Place::Pinned, bytes, Kind::Staging, std::move(label));
  }
  BufferPtr device_staging(size_t bytes, std::string label) const {
    return make(Place::Device, bytes, Kind::Staging, std::move(label));
  }

 private:
  BufferPtr make(Place place, size_t bytes, Kind kind, std::string label) const {
    if (!memory || place == Place::Host)
      return std::make_shared<Buffer>(ledger, bytes, kind, std::move(label), owner);
    return std::make_shared<Buffer>(ledger, memory, place, bytes, kind, std::move(label), owner);
  }
};

}  // namespace exl
