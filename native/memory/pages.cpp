#include "memory/pages.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifdef __linux__
#include <cstdio>
#endif

namespace exl {

#ifdef _WIN32

size_t page_size() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

size_t fault_bytes(size_t) { return page_size(); }

// Committed memory is promised, so nothing better can be had by touching it.
void* map_pages(size_t bytes) {
  return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void back_pages(void*, size_t) {}

void unmap_pages(void* address, size_t) { VirtualFree(address, 0, MEM_RELEASE); }

#else

size_t page_size() {
  static const size_t size = size_t(sysconf(_SC_PAGESIZE));
  return size;
}

// From here on, memory is asked for in huge pages.
constexpr size_t kLarge = size_t(4) << 20;

size_t fault_bytes(size_t mapped) {
#ifdef MADV_HUGEPAGE
  if (mapped >= kLarge) return size_t(2) << 20;
#endif
  return page_size();
}

void* map_pages(size_t bytes) {
  // Linux promises more than it has, and kills the process that takes the promise at its word.
  if (bytes >= kLarge && bytes > available_memory()) return nullptr;
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  // Weights are streamed once per token; 2 MiB pages spare most of the address translation.
  if (bytes >= kLarge) madvise(address, bytes, MADV_HUGEPAGE);
#endif
  return address;
}

void back_pages(void* address, size_t bytes) {
#ifdef __linux__
  // MADV_POPULATE_WRITE, since Linux 5.14 and not in every libc's headers.
  constexpr int populate_write = 23;
  madvise(address, bytes, populate_write);
#else
  (void)address, (void)bytes;
#endif
}

void unmap_pages(void* address, size_t bytes) { munmap(address, bytes); }

#endif

size_t available_memory() {
#ifdef __linux__
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (!file) return SIZE_MAX;
  size_t available = SIZE_MAX, swap = 0, kilobytes;
  char line[128];
  while (std::fgets(line, sizeof line, file)) {
    if (std::sscanf(line, "MemAvailable: %zu kB", &kilobytes) == 1) available = kilobytes << 10;
    if (std::sscanf(line, "SwapFree: %zu kB", &kilobytes) == 1) swap = kilobytes << 10;
  }
  std::fclose(file);
  return available == SIZE_MAX ? SIZE_MAX : available + swap;
#else
  return SIZE_MAX;
#endif
}

void trim_heap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace exl
