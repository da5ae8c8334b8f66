// Locks between processes, taken as `filelock` of Python takes them, so that both can share a cache
// of models.
#include <cerrno>

#include "napi/functions.h"
#include "napi/read.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/file.h>
#endif

namespace exl {

namespace {

enum class Lock { Taken, Busy, Unsupported };

#ifdef _WIN32

// A file descriptor belongs to the C library of the program, which is not ours: the program has to
// be asked.
HANDLE handle_of(int fd) {
  using Convert = HANDLE (*)(int);
  const auto convert = reinterpret_cast<Convert>(
      reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(nullptr), "uv_get_osfhandle")));
  return convert ? convert(fd) : INVALID_HANDLE_VALUE;
}

Lock lock(int fd) {
  const HANDLE file = handle_of(fd);
  if (file == INVALID_HANDLE_VALUE) return Lock::Unsupported;
  if (LockFile(file, 0, 0, 1, 0)) return Lock::Taken;
  return GetLastError() == ERROR_LOCK_VIOLATION ? Lock::Busy : Lock::Unsupported;
}

#else

Lock lock(int fd) {
  int status;
  do status = flock(fd, LOCK_EX | LOCK_NB);
  while (status != 0 && errno == EINTR);
  if (status == 0) return Lock::Taken;
  return errno == EWOULDBLOCK ? Lock::Busy : Lock::Unsupported;
}

#endif

}  // namespace

// lockFile(fd) -> whether the lock was free, or undefined where there are no locks. Closing the
// file frees it.
Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const Lock result = lock(int(integer(info[0], "fd")));
  if (result == Lock::Unsupported) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), result == Lock::Taken);
}

}  // namespace exl
