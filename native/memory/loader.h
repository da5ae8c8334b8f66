// Reading weights from files, without leaving them in the system's page cache.
//
//   direct    bypasses the page cache: aligned blocks, several reads in flight, each through a
//             staging buffer of its own
//   buffered  ordinary reads; the pages are dropped when the loader goes
//   mapped    plain matrices stay in the file, mapped, and are shared with other processes; the
//             rest is copied
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "memory/buffer.h"
#include "memory/file.h"

namespace exl {

enum class LoadMode { Direct, Buffered, Mapped };

// Throws InvalidArgument.
LoadMode load_mode(const std::string& name);
const char* load_mode_name(LoadMode mode);

class Loader {
 public:
  Loader(LoadMode mode, Allocator allocate);
  // Gives staging back and drops what was read from the page cache.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // `rows` runs of `bytes`, `stride` bytes apart in the file, one after another in `target`.
  // Throws ModelNotFound, or FormatInvalid if the file ends before.
  void read(const std::string& path, uint64_t offset, void* target, size_t bytes, size_t rows = 1,
            uint64_t stride = 0);

  // The run as a mapping of the file, on the ledger; null in other modes or if `alignment` does not
  // divide the offset.
  BufferPtr map(const std::string& path, uint64_t offset, size_t bytes, size_t alignment,
                const std::string& label);

  // Where a device copies from by itself; empty until it needs them, and gone with the loader.
  std::vector<BufferPtr>& pinned_blocks() { return pinned_blocks_; }

  // What is in use: buffered if the file system refused direct reads.
  LoadMode mode() const { return mode_; }
  // Why it is not what was asked for; empty if it is.
  const std::string& fallback() const { return fallback_; }

 private:
  struct Piece {
    uint64_t offset;
    std::byte* target;
    size_t bytes;
  };
  const File& open(const std::string& path);
  void read_pieces(const std::string& path, const std::vector<Piece>& pieces);

  LoadMode mode_;
  std::string fallback_;
  Allocator allocate_;
  std::map<std::string, File> files_;
  std::vector<BufferPtr> staging_, pinned_blocks_;
};

}  // namespace exl
