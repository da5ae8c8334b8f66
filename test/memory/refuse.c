// Preloaded into a process, this has the system refuse what the addon asks it for: the n-th call of
// a kind and as many after it as are asked for. What is asked for is in a file, mapped, so that the
// process itself can change it between two calls of the library.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEAP, THREAD, MAPPING, FILE_OPEN, kinds };

// In the order of the kinds. Calls are counted from 0; those from `first` to `end` are refused.
typedef struct {
  int64_t calls, first, end;
} Kind;

static Kind* list;
static uintptr_t addon_begin, addon_end;  // its code

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("EXL_REFUSE");
  if (!path) return;
  const int file = open(path, O_RDWR | O_CLOEXEC);
  void* address = mmap(NULL, kinds * sizeof(Kind), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (address != MAP_FAILED) list = address;
}

static int find_addon(struct dl_phdr_info* info, size_t size, void* unused) {
  (void)size, (void)unused;
  if (!strstr(info->dlpi_name, "node-exllama.node")) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)* part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    addon_begin = info->dlpi_addr + part->p_vaddr;
    addon_end = addon_begin + part->p_memsz;
  }
  return 1;
}

static int refused(int kind, void* caller) {
  // The C++ library is in the addon, so that it calls for itself.
  if (!list || (uintptr_t)caller < addon_begin || (uintptr_t)caller >= addon_end) return 0;
  const int64_t call = __atomic_fetch_add(&list[kind].calls, 1, __ATOMIC_SEQ_CST);
  return call >= list[kind].first && call < list[kind].end;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

void* dlopen(const char* path, int flags) {
  REAL(dlopen);
  void* handle = real(path, flags);
  if (!addon_end) dl_iterate_phdr(find_addon, NULL);
  return handle;
}

void* malloc(size_t bytes) {
  REAL(malloc);
  if (refused(HEAP, __builtin_return_address(0))) return errno = ENOMEM, NULL;
  return real(bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  REAL(aligned_alloc);
  if (refused(HEAP, __builtin_return_address(0))) return errno = ENOMEM, NULL;
  return real(alignment, bytes);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  REAL(pthread_create);
  if (refused(THREAD, __builtin_return_address(0))) return EAGAIN;
  return real(thread, attributes, run, argument);
}

void* mmap(void* hint, size_t bytes, int protection, int flags, int file, off_t offset) {
  REAL(mmap);
  if (refused(MAPPING, __builtin_return_address(0))) return errno = ENOMEM, MAP_FAILED;
  return real(hint, bytes, protection, flags, file, offset);
}

void* mmap64(void* hint, size_t bytes, int protection, int flags, int file, off64_t offset) {
  REAL(mmap64);
  if (refused(MAPPING, __builtin_return_address(0))) return errno = ENOMEM, MAP_FAILED;
  return real(hint, bytes, protection, flags, file, offset);
}

#define OPEN(name) \
  int name(const char* path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    const int mode = va_arg(rest, int); \
    va_end(rest); \
    if (refused(FILE_OPEN, __builtin_return_address(0))) return errno = EMFILE, -1; \
    return real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
