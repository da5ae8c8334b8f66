// Long-lived device memory, cut from few large pieces. A driver takes whole pages (of 2 MiB) for
// each allocation of any size, and a model has a thousand.
//
// Pieces belong to one owner and kind, so that they go when what is in them goes, all at once.
// Nothing is handed out twice: memory is zeroed when its slab is made, and only then.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace exl {

// How large a slab to make for `bytes` that found no room, where `taken` were taken before: either
// many times as much, or as many times as leave least of the last page.
size_t slab_bytes(size_t bytes, size_t taken, size_t page);

class Slabs {
 public:
  using Take = std::function<std::byte*(size_t bytes)>;  // null: there is not as much
  using Give = std::function<void(std::byte*)>;

  // `page`: what a driver takes memory in multiples of.
  explicit Slabs(size_t page) : page_(page) {}

  // Null: there is not as much. `taken` is what had to be taken for it.
  std::byte* allocate(const std::string& group, size_t bytes, size_t* taken, const Take& take);
  // Whether it came from here; `given` is what was given back with it.
  bool free(std::byte* address, size_t* given, const Give& give);

 private:
  struct Slab {
    std::string group;
    std::byte* memory;
    size_t bytes, used, live;  // live: allocations
  };

  const size_t page_;
  std::mutex mutex_;
  std::map<std::byte*, Slab> slabs_;  // by address
};

}  // namespace exl
