#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "test/fake_driver/state.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

namespace exl::fake {

namespace {

constexpr size_t kAlignment = 256;

size_t page() {
  static const size_t size = size_t(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

size_t State::used(int device) const {
  size_t sum = 0;
  for (const auto& [data, block] : blocks)
    if (!block.pinned && block.context->device == device) sum += taken(block.bytes);
  return sum;
}

// Small blocks share pages.
size_t State::taken(size_t bytes) const {
  const size_t page = settings.page_bytes;
  return bytes < page / 2 ? bytes : (bytes + page - 1) / page * page;
}

std::byte* map_block(CUctx_st* context, size_t bytes, bool pinned) {
  const size_t aligned = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t mapped = (aligned + page() - 1) / page() * page();
  void* memory =
      mmap(nullptr, mapped + page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* pages = static_cast<std::byte*>(memory);
  mprotect(pages + mapped, page(), PROT_NONE);
  if (!pinned) {
    std::memset(pages, 0xff, mapped);  // NaN of every type
    mprotect(pages, mapped, PROT_NONE);
  }
  std::byte* data = pages + mapped - aligned;
  ASAN_POISON_MEMORY_REGION(pages, size_t(data - pages));
  ASAN_POISON_MEMORY_REGION(data + bytes, aligned - bytes);
  state().blocks[data] = {context, pages, mapped, bytes, pinned};
  return data;
}

void unmap_block(std::byte* data) {
  const auto found = state().blocks.find(data);
  ASAN_UNPOISON_MEMORY_REGION(found->second.pages, found->second.mapped);
  munmap(found->second.pages, found->second.mapped + page());
  state().blocks.erase(found);
}

const Block* find_block(const void* data, size_t bytes) {
  auto* first = static_cast<std::byte*>(const_cast<void*>(data));
  auto after = state().blocks.upper_bound(first);
  if (after == state().blocks.begin()) return nullptr;
  const auto& [start, block] = *std::prev(after);
  return first + bytes <= start + block.bytes ? &block : nullptr;
}

void expose(CUctx_st* context, bool exposed) {
  for (const auto& [data, block] : state().blocks)
    if (!block.pinned && block.context == context)
      mprotect(block.pages, block.mapped, exposed ? PROT_READ | PROT_WRITE : PROT_NONE);
}

}  // namespace exl::fake
