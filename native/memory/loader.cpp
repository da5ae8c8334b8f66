#include "memory/loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "base/thread.h"

namespace exl {

namespace {

// Reads in flight, and the bytes of each. Disks reach their full rate with a few MiB under way.
constexpr size_t kReaders = 4;
constexpr size_t kBlockBytes = size_t(1) << 20;

}  // namespace

LoadMode load_mode(const std::string& name) {
  for (const LoadMode mode : {LoadMode::Direct, LoadMode::Buffered, LoadMode::Mapped})
    if (name == load_mode_name(mode)) return mode;
  throw Error(Code::InvalidArgument, "there is no loader named " + name);
}

const char* load_mode_name(LoadMode mode) {
  switch (mode) {
    case LoadMode::Direct:
      return "direct";
    case LoadMode::Buffered:
      return "buffered";
    case LoadMode::Mapped:
      return "mmap";
  }
  return "?";
}

Loader::Loader(LoadMode mode, Allocator allocate) : mode_(mode), allocate_(std::move(allocate)) {}

Loader::~Loader() {
  if (mode_ == LoadMode::Mapped) return;
  for (const auto& [path, file] : files_) file.drop_pages();
}

const File& Loader::open(const std::string& path) {
  const auto known = files_.find(path);
  if (known != files_.end()) return known->second;
  const bool direct = mode_ == LoadMode::Direct;
  const File& file = files_.emplace(path, File(path, direct)).first->second;
  if (direct && !file.is_direct()) {
    mode_ = LoadMode::Buffered;
    fallback_ = "the file system of " + path + " refuses direct reads";
  }
  return file;
}

void Loader::read(const std::string& path, uint64_t offset, void* target, size_t bytes, size_t rows,
                  uint64_t stride) {
  if (stride == bytes) bytes *= rows, rows = 1;
  std::vector<Piece> pieces;
  for (size_t row = 0; row < rows; row++)
    for (size_t at = 0; at < bytes; at += kBlockBytes)
      pieces.push_back({offset + row * stride + at,
                        static_cast<std::byte*>(target) + row * bytes + at,
                        std::min(kBlockBytes, bytes - at)});
  if (!pieces.empty()) read_pieces(path, pieces);
}

void Loader::read_pieces(const std::string& path, const std::vector<Piece>& pieces) {
  const File& file = open(path);
  const size_t readers = std::min(kReaders, pieces.size());
  // A block, and what alignment adds at both ends.
  while (file.is_direct() && staging_.size() < readers)
    staging_.push_back(
        allocate_(kBlockBytes + 2 * File::kAlignment, Kind::Staging, "loader.staging"));

  std::atomic<size_t> next{0};
  std::atomic<int64_t> failure{0};  // of any piece; pieces after it are not read
  std::atomic<uint64_t> failed_at{0};
  const std::function<void(size_t)> run = [&](size_t reader) {
    for (size_t i; (i = next.fetch_add(1)) < pieces.size() && failure == 0;) {
      const Piece& piece = pieces[i];
      int64_t got;
      if (file.is_direct()) {
        const uint64_t begin = piece.offset / File::kAlignment * File::kAlignment;
        const uint64_t end = piece.offset + piece.bytes;
        const size_t span =
            size_t((end - begin + File::kAlignment - 1) / File::kAlignment * File::kAlignment);
        std::byte* block = staging_[reader]->data();
        got = file.read(begin, block, span);
        if (got >= 0) {
          got = std::clamp<int64_t>(got - int64_t(piece.offset - begin), 0, int64_t(piece.bytes));
          std::memcpy(piece.target, block + (piece.offset - begin), size_t(got));
        }
      } else {
        got = file.read(piece.offset, piece.target, piece.bytes);
      }
      if (got == int64_t(piece.bytes)) continue;
      failed_at = piece.offset;
      failure = got < 0 ? got : 1;
    }
  };
  // Helpers save time and nothing else: without them this thread reads all of it.
  Helpers helpers;
  for (size_t reader = 1; reader < readers && helpers.start(run, reader);) reader++;
  run(0);
  helpers.wait();
  // At once rather than at the end, so that a large file never fills the cache and no thread has to
  // drop all of it.
  if (mode_ == LoadMode::Buffered) file.drop_pages();

  if (failure != 0)
    throw Error(Code::FormatInvalid,
                "cannot read " + path + " at byte " + std::to_string(failed_at) + ": " +
                    (failure > 0 ? "the file ends there" : system_error(-failure)));
}

BufferPtr Loader::map(const std::string& path, uint64_t offset, size_t bytes, size_t alignment,
                      const std::string& label) {
  if (mode_ != LoadMode::Mapped || offset % alignment != 0 || bytes == 0) return nullptr;
  const File& file = open(path);
  if (offset > file.size() || bytes > file.size() - offset)
    throw Error(Code::FormatInvalid, "cannot map " + path + " at byte " + std::to_string(offset) +
                                         ": the file ends there");
  const uint64_t begin = offset / File::map_alignment() * File::map_alignment();
  const size_t before = size_t(offset - begin);
  const auto unmap = [size = bytes + before](void* address) { File::unmap(address, size); };
  std::unique_ptr<void, decltype(unmap)> mapping(file.map(begin, bytes + before), unmap);
  if (!mapping) return nullptr;
  auto buffer = std::make_shared<Buffer>(allocate_.ledger, mapping.get(), before, bytes, label,
                                         allocate_.owner);
  mapping.release();
  return buffer;
}

}  // namespace exl
