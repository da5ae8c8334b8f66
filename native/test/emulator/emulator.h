// Runs a kernel of native/cuda on the CPU, one fiber per CUDA thread, one block after another.
//
// It is stricter than a GPU: threads run in a random order, a barrier must be reached by every
// thread of its block at the same place, shared memory holds garbage before use, and an
// asynchronous copy destroys its target at once and arrives only when it is waited for. What goes
// wrong under these rules goes wrong on a GPU some day. It says nothing about speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>

namespace emulator {

using Place = std::source_location;

// A kernel did what no kernel may do; the message names the place.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Index {
  unsigned x = 1, y = 1, z = 1;
};

// Of the order of threads and blocks, and of the garbage in shared memory.
void set_seed(uint64_t seed);

// Throws Error. All threads of a block share `shared_bytes` of dynamic shared memory.
void run(Index grid, Index block, size_t shared_bytes, const std::function<void()>& kernel);

// ---- Called by the thread that runs -------------------------------------------------------------

// Where the thread is; copied to threadIdx and its like before a thread goes on.
struct Builtins {
  Index thread, block, block_size, grid_size;
};
const Builtins& builtins();
int lane();

// Waits for all threads of the block.
void barrier(Place place);

// What every lane of a warp handed over to an operation that the warp performs as one.
struct Exchange {
  static constexpr size_t kBytes = 64;
  alignas(16) std::byte of_lane[32][kBytes];

  template <typename T>
  const T& from(int lane) const {
    static_assert(sizeof(T) <= kBytes);
    return *reinterpret_cast<const T*>(of_lane[lane]);
  }
};

// Waits until all 32 lanes are at the same place, each with `bytes` of its own; the last one to
// come runs `once`. The result stays readable until the lane's next rendezvous.
const Exchange& rendezvous(const void* mine, size_t bytes, Place place,
                           const std::function<void(Exchange&)>& once = nullptr);

// Shared memory of the block: the same for every thread that asks with the same key.
void* dynamic_shared();
void* static_shared(const void* key, size_t bytes);

// One copy of a thread: the target holds garbage until wait_copies() has let it arrive.
void copy_async(void* target, const void* source, size_t bytes, bool present);
void commit_copies();
void wait_copies(size_t groups_left);

// Each thread calls it, before it ends.
void await_last_launch();

// Ends the launch: run() throws. The thread is dropped as it stands, so nobody up its stack may own
// memory.
[[noreturn]] void fail(const char* what, Place place, const Place* other = nullptr);

}  // namespace emulator
