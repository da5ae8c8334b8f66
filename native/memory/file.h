// A file opened for reading at offsets, from any thread. All differences between systems are here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace exl {

class File {
 public:
  // `direct` asks for reads that bypass the page cache; `is_direct` tells whether the system
  // agreed. Throws ModelNotFound, or
  // OutOfMemory if the system has no more files to open.
  File(const std::string& path, bool direct);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  bool is_direct() const { return direct_; }
  uint64_t size() const { return size_; }

  // As many bytes as there are, up to `bytes`; short only at the end of the file. A negative result
  // is a system error number. Direct reads need offset, address and size in multiples of
  // kAlignment.
  int64_t read(uint64_t offset, void* target, size_t bytes) const;
  static constexpr size_t kAlignment = 4096;

  // Tells the system that the pages of this file will not be needed again.
  void drop_pages() const;

  // Maps [offset, offset + bytes), read only; null if the system refuses.
  void* map(uint64_t offset, size_t bytes) const;
  static void unmap(void* address, size_t bytes);
  // What offsets of mappings are multiples of.
  static size_t map_alignment();

 private:
  intptr_t handle_;
  bool direct_;
  uint64_t size_ = 0;
};

std::string system_error(int64_t number);

}  // namespace exl
