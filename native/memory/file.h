// Reading weights: a file opened once, read at offsets, from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace exl {

class File {
 public:
  // Throws ModelNotFound.
  explicit File(const std::string& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Fills all of `bytes`. Throws FormatInvalid if the file ends before.
  void read(uint64_t offset, void* target, size_t bytes) const;

 private:
  std::string path_;
  intptr_t handle_;
};

// A run of bytes: a piece of a file, or memory that `keep` keeps alive.
struct ByteSource {
  std::string path;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::shared_ptr<const std::byte> memory;
  mutable std::shared_ptr<const File> file;  // opened by the first read

  // Copies [at, at + bytes) of this run to `target`; throws FormatInvalid beyond its end.
  void read(uint64_t at, void* target, size_t bytes) const;
};

}  // namespace exl
