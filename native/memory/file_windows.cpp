#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>

#include "base/error.h"
#include "memory/file.h"

namespace exl {

namespace {

std::wstring widen(const std::string& text) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.c_str(), -1, nullptr, 0);
  std::wstring wide(size_t(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.c_str(), -1, wide.data(), length);
  return wide;
}

HANDLE open_file(const std::string& path, DWORD flags) {
  return CreateFileW(widen(path).c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                     flags, nullptr);
}

Error refusal(const std::string& path, DWORD number) {
  const bool exhausted = number == ERROR_TOO_MANY_OPEN_FILES || number == ERROR_NOT_ENOUGH_MEMORY;
  return {exhausted ? Code::OutOfMemory : Code::ModelNotFound,
          "cannot open " + path + ": " + system_error(number)};
}

}  // namespace

std::string system_error(int64_t number) { return "error " + std::to_string(number); }

File::File(const std::string& path, bool direct) : direct_(direct) {
  HANDLE handle = direct ? open_file(path, FILE_FLAG_NO_BUFFERING) : INVALID_HANDLE_VALUE;
  if (handle == INVALID_HANDLE_VALUE) {
    handle = open_file(path, FILE_ATTRIBUTE_NORMAL);
    direct_ = false;
  }
  if (handle == INVALID_HANDLE_VALUE) throw refusal(path, GetLastError());
  handle_ = reinterpret_cast<intptr_t>(handle);
  LARGE_INTEGER size;
  if (GetFileSizeEx(handle, &size)) size_ = uint64_t(size.QuadPart);
}

File::~File() {
  if (handle_) CloseHandle(reinterpret_cast<HANDLE>(handle_));
}

File::File(File&& other) noexcept
    : handle_(other.handle_), direct_(other.direct_), size_(other.size_) {
  other.handle_ = 0;
}

int64_t File::read(uint64_t offset, void* target, size_t bytes) const {
  constexpr size_t most = size_t(1) << 30;
  size_t done = 0;
  while (done < bytes) {
    OVERLAPPED at = {};
    at.Offset = DWORD(offset + done);
    at.OffsetHigh = DWORD((offset + done) >> 32);
    DWORD got = 0;
    if (!ReadFile(reinterpret_cast<HANDLE>(handle_), static_cast<char*>(target) + done,
                  DWORD(std::min(bytes - done, most)), &got, &at)) {
      const DWORD error = GetLastError();
      if (error == ERROR_HANDLE_EOF) break;
      return -int64_t(error);
    }
    done += got;
    if (got == 0 || (direct_ && done % kAlignment)) break;
  }
  return int64_t(done);
}

// Windows drops the pages of an unbuffered file by itself and offers nothing for others.
void File::drop_pages() const {}

void* File::map(uint64_t offset, size_t bytes) const {
  const HANDLE mapping =
      CreateFileMappingW(reinterpret_cast<HANDLE>(handle_), nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (!mapping) return nullptr;
  void* address = MapViewOfFile(mapping, FILE_MAP_READ, DWORD(offset >> 32), DWORD(offset), bytes);
  CloseHandle(mapping);
  return address;
}

void File::unmap(void* address, size_t) { UnmapViewOfFile(address); }

size_t File::map_alignment() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwAllocationGranularity;
}

}  // namespace exl
#endif
