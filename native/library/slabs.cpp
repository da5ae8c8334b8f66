#include "library/slabs.h"

#include <algorithm>

namespace exl {

namespace {

constexpr size_t kAlignment = 512;  // what cuMemAlloc aligns to
constexpr size_t kLargest = size_t(64) << 20;

size_t round_up(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

}  // namespace

// A slab is never more than a small part of what there is, since its end may stay empty. Models
// have many matrices of one size.
size_t slab_bytes(size_t bytes, size_t taken, size_t page) {
  const size_t common = round_up(std::min(kLargest, taken / 64), page);
  if (bytes * 8 <= common) return common;
  const auto unused = [&](size_t times) {  // of a thousand
    const size_t slab = round_up(times * bytes, page);
    return (slab - times * bytes) * 1000 / slab;
  };
  size_t best = 1;
  for (size_t times = 2; times <= 16; times++) {
    if (round_up(times * bytes, page) > std::min(2 * kLargest, taken / 32)) break;
    if (unused(times) + 3 < unused(best)) best = times;
  }
  return round_up(best * bytes, page);
}

std::byte* Slabs::allocate(const std::string& group, size_t bytes, size_t* taken,
                           const Take& take) {
  const std::lock_guard lock(mutex_);
  const size_t needed = round_up(bytes, kAlignment);
  *taken = 0;
  Slab* best = nullptr;  // of those with room the fullest
  size_t total = 0;
  for (auto& [address, slab] : slabs_) {
    if (slab.group != group) continue;
    total += slab.bytes;
    const size_t left = slab.bytes - slab.used;
    if (left >= needed && (!best || left < best->bytes - best->used)) best = &slab;
  }
  if (!best) {
    size_t size = slab_bytes(needed, total, page_);
    std::byte* memory = take(size);
    if (!memory && size > round_up(needed, page_)) {
      size = round_up(needed, page_);
      memory = take(size);
    }
    if (!memory) return nullptr;
    *taken = size;
    best = &(slabs_[memory] = {group, memory, size, 0, 0});
  }
  std::byte* address = best->memory + best->used;
  best->used += needed;
  best->live++;
  return address;
}

bool Slabs::free(std::byte* address, size_t* given, const Give& give) {
  const std::lock_guard lock(mutex_);
  auto after = slabs_.upper_bound(address);
  if (after == slabs_.begin()) return false;
  Slab& slab = std::prev(after)->second;
  if (address >= slab.memory + slab.bytes) return false;
  *given = 0;
  if (--slab.live > 0) return true;
  *given = slab.bytes;
  give(slab.memory);
  slabs_.erase(std::prev(after));
  return true;
}

}  // namespace exl
