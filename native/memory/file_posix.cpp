#ifndef _WIN32
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "memory/file.h"
#include "memory/pages.h"

namespace exl {

namespace {

Error refusal(const std::string& path, int number) {
  const std::string message = "cannot open " + path + ": " + system_error(number);
  if (number == EMFILE || number == ENFILE)
    return {Code::OutOfMemory,
            message + "; close some files, or raise the limit of open files (ulimit -n)"};
  return {number == ENOMEM ? Code::OutOfMemory : Code::ModelNotFound, message};
}

}  // namespace

std::string system_error(int64_t number) { return std::strerror(int(number)); }

File::File(const std::string& path, bool direct) : handle_(-1), direct_(direct) {
#ifdef O_DIRECT
  // File systems without direct reads refuse the flag (EINVAL), or ignore it.
  if (direct) handle_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
#endif
  if (handle_ < 0) {
    handle_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    direct_ = false;
  }
  if (handle_ < 0) throw refusal(path, errno);
#ifdef F_NOCACHE
  direct_ = direct && fcntl(int(handle_), F_NOCACHE, 1) == 0;
#endif
  struct stat status;
  if (fstat(int(handle_), &status) == 0) size_ = uint64_t(status.st_size);
}

File::~File() {
  if (handle_ >= 0) close(int(handle_));
}

File::File(File&& other) noexcept
    : handle_(other.handle_), direct_(other.direct_), size_(other.size_) {
  other.handle_ = -1;
}

int64_t File::read(uint64_t offset, void* target, size_t bytes) const {
  constexpr size_t most = size_t(1) << 30;  // a system call may refuse more than 2 GiB
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = pread(int(handle_), static_cast<char*>(target) + done,
                              std::min(bytes - done, most), off_t(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    done += size_t(got);
    // A direct read that ends off the alignment has met the end of the file.
    if (got == 0 || (direct_ && done % kAlignment)) break;
  }
  return int64_t(done);
}

void File::drop_pages() const {
#ifdef POSIX_FADV_DONTNEED
  posix_fadvise(int(handle_), 0, 0, POSIX_FADV_DONTNEED);
#endif
}

void* File::map(uint64_t offset, size_t bytes) const {
  void* address = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, int(handle_), off_t(offset));
  return address == MAP_FAILED ? nullptr : address;
}

void File::unmap(void* address, size_t bytes) { munmap(address, bytes); }

size_t File::map_alignment() { return page_size(); }

}  // namespace exl
#endif
