#include "memory/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace exl {

namespace {

[[noreturn]] void fail_open(const std::string& path, const std::string& reason) {
  throw Error(Code::ModelNotFound, "cannot open " + path + ": " + reason);
}

[[noreturn]] void fail_read(const std::string& path, uint64_t offset, const std::string& reason) {
  throw Error(Code::FormatInvalid,
              "cannot read " + path + " at byte " + std::to_string(offset) + ": " + reason);
}

// A system call may refuse more than 2 GiB at a time.
constexpr size_t kMostBytes = size_t(1) << 30;

}  // namespace

#ifdef _WIN32

File::File(const std::string& path) : path_(path) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(size_t(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), length);
  const HANDLE handle = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr,
                                    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) fail_open(path, "error " + std::to_string(GetLastError()));
  handle_ = reinterpret_cast<intptr_t>(handle);
}

File::~File() { CloseHandle(reinterpret_cast<HANDLE>(handle_)); }

void File::read(uint64_t offset, void* target, size_t bytes) const {
  auto* to = static_cast<char*>(target);
  while (bytes) {
    OVERLAPPED at = {};
    at.Offset = DWORD(offset);
    at.OffsetHigh = DWORD(offset >> 32);
    DWORD got = 0;
    if (!ReadFile(reinterpret_cast<HANDLE>(handle_), to, DWORD(std::min(bytes, kMostBytes)), &got,
                  &at) ||
        got == 0)
      fail_read(path_, offset, "the file ends there, or error " + std::to_string(GetLastError()));
    to += got, offset += got, bytes -= got;
  }
}

#else

File::File(const std::string& path) : path_(path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_open(path, std::strerror(errno));
  handle_ = descriptor;
}

File::~File() { close(int(handle_)); }

void File::read(uint64_t offset, void* target, size_t bytes) const {
  auto* to = static_cast<char*>(target);
  while (bytes) {
    const ssize_t got = pread(int(handle_), to, std::min(bytes, kMostBytes), off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_read(path_, offset, std::strerror(errno));
    if (got == 0)
      fail_read(path_, offset,
                "the file ends there, " + std::to_string(bytes) + " bytes are missing");
    to += got, offset += uint64_t(got), bytes -= size_t(got);
  }
}

#endif

void ByteSource::read(uint64_t at, void* target, size_t bytes) const {
  if (at > length || bytes > length - at)
    throw Error(Code::FormatInvalid, "a read of " + std::to_string(bytes) + " bytes at " +
                                         std::to_string(at) + " leaves a tensor of " +
                                         std::to_string(length) + " bytes");
  if (!bytes) return;
  if (memory) {
    std::memcpy(target, memory.get() + at, bytes);
    return;
  }
  if (!file) file = std::make_shared<const File>(path);
  file->read(offset + at, target, bytes);
}

}  // namespace exl
