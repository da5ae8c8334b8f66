// Preloaded into a process, this keeps a list of the large blocks of memory that the addon has:
// what it maps, of any size, and what it takes from the heap from `threshold` bytes on. The list is
// a file, mapped, that others can read at any time.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { capacity = 1 << 14, threshold = 128 << 10, outer = 3 };

typedef struct {
  uint64_t address;  // 0: free
  uint64_t bytes;
  uint64_t mapped;  // or from the heap
} Block;

typedef struct {
  uint64_t heap, heap_peak;  // bytes
  uint64_t mapped;
  uint64_t lost;  // blocks the list had no room for
  Block blocks[capacity];
} List;

static List* list;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;
static int used;  // blocks from here on were never taken

static void* (*real_malloc)(size_t);
static void* (*real_calloc)(size_t, size_t);
static void* (*real_realloc)(void*, size_t);
static void* (*real_memalign)(size_t, size_t);
static void (*real_free)(void*);
static void* (*real_mmap)(void*, size_t, int, int, int, off_t);
static int (*real_munmap)(void*, size_t);

// dlsym() itself may allocate.
static char early[4096];
static size_t early_used;

static void find(void) {
  inside = 1;
  real_calloc = dlsym(RTLD_NEXT, "calloc");
  real_malloc = dlsym(RTLD_NEXT, "malloc");
  real_realloc = dlsym(RTLD_NEXT, "realloc");
  real_memalign = dlsym(RTLD_NEXT, "memalign");
  real_free = dlsym(RTLD_NEXT, "free");
  real_munmap = dlsym(RTLD_NEXT, "munmap");
  real_mmap = dlsym(RTLD_NEXT, "mmap");
  inside = 0;
}

__attribute__((constructor)) static void start(void) {
  if (!real_mmap) find();
  const char* path = getenv("EXL_INTERPOSE");
  if (!path) return;
  inside = 1;
  void* frames[2];
  backtrace(frames, 2);  // loads what it needs
  const int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file >= 0 && ftruncate(file, sizeof(List)) == 0) {
    void* address = real_mmap(NULL, sizeof(List), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (address != MAP_FAILED) list = address;
  }
  inside = 0;
}

// Whether the addon called, directly or through `operator new`.
__attribute__((noinline)) static int by_addon(void) {
  void* frames[2 + outer];
  inside = 1;
  const int count = backtrace(frames, 2 + outer);
  int found = 0;
  for (int i = 2; i < count && !found; i++) {
    Dl_info info;
    found =
        dladdr(frames[i], &info) && info.dli_fname && strstr(info.dli_fname, "node-exllama.node");
  }
  inside = 0;
  return found;
}

static void enter(void* address, size_t bytes, int mapped) {
  pthread_mutex_lock(&mutex);
  int i = 0;
  while (i < used && list->blocks[i].address) i++;
  if (i == capacity) {
    list->lost++;
  } else {
    if (i == used) used++;
    list->blocks[i] = (Block){(uint64_t)address, bytes, mapped};
    if (mapped)
      list->mapped += bytes;
    else
      list->heap += bytes;
    if (list->heap > list->heap_peak) list->heap_peak = list->heap;
  }
  pthread_mutex_unlock(&mutex);
}

static void strike(void* address, int mapped) {
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < used; i++) {
    Block* block = &list->blocks[i];
    if (block->address != (uint64_t)address || block->mapped != (uint64_t)mapped) continue;
    if (mapped)
      list->mapped -= block->bytes;
    else
      list->heap -= block->bytes;
    block->address = 0;
  }
  pthread_mutex_unlock(&mutex);
}

static int watched(size_t bytes) { return list && !inside && bytes >= threshold; }

void* malloc(size_t bytes) {
  if (!real_malloc) find();
  void* address = real_malloc(bytes);
  if (address && watched(bytes) && by_addon()) enter(address, bytes, 0);
  return address;
}

void* calloc(size_t count, size_t size) {
  if (!real_calloc && inside) {
    void* address = early + early_used;
    early_used += (count * size + 15) / 16 * 16;
    return early_used <= sizeof early ? address : NULL;
  }
  if (!real_calloc) find();
  void* address = real_calloc(count, size);
  if (address && watched(count * size) && by_addon()) enter(address, count * size, 0);
  return address;
}

static void* aligned(size_t alignment, size_t bytes) {
  if (!real_memalign) find();
  void* address = real_memalign(alignment, bytes);
  if (address && watched(bytes) && by_addon()) enter(address, bytes, 0);
  return address;
}

void* memalign(size_t alignment, size_t bytes) { return aligned(alignment, bytes); }

void* aligned_alloc(size_t alignment, size_t bytes) { return aligned(alignment, bytes); }

int posix_memalign(void** result, size_t alignment, size_t bytes) {
  *result = aligned(alignment, bytes);
  return *result ? 0 : 12;
}

static void forget(void* address) {
  if (list && !inside && list->heap > 0) strike(address, 0);
}

void* realloc(void* before, size_t bytes) {
  if (!real_realloc) find();
  if (before) forget(before);
  void* address = real_realloc(before, bytes);
  if (address && watched(bytes) && by_addon()) enter(address, bytes, 0);
  return address;
}

void free(void* address) {
  if (!address || ((char*)address >= early && (char*)address < early + sizeof early)) return;
  if (!real_free) find();
  forget(address);
  real_free(address);
}

void* mmap(void* hint, size_t bytes, int protection, int flags, int file, off_t offset) {
  if (!real_mmap) find();
  void* address = real_mmap(hint, bytes, protection, flags, file, offset);
  if (address != MAP_FAILED && list && !inside && by_addon()) enter(address, bytes, 1);
  return address;
}

void* mmap64(void* hint, size_t bytes, int protection, int flags, int file, off_t offset) {
  return mmap(hint, bytes, protection, flags, file, offset);
}

int munmap(void* address, size_t bytes) {
  if (!real_munmap) find();
  if (list && !inside) strike(address, 1);
  return real_munmap(address, bytes);
}
