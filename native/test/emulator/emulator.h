// Runs kernels of native/cuda on the CPU, one fiber per CUDA thread.
//
// It is stricter than a GPU. Threads run in a random order, a barrier must be reached by every
// thread of its block at the same place, and shared memory holds garbage before use. An
// asynchronous copy destroys its target at once and arrives only when it is waited for; it reads
// its source when it is issued or when it arrives, whichever the seed says. Blocks of up to three
// launches start, and run until they wait for the launch before, while an earlier one has not begun
// (native/cuda/ptx/overlap.cuh). A launch beyond what a device allows fails. What goes wrong under
// these rules goes wrong on a GPU some day. It says nothing about speed.
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

// Of all that is random: the order of threads and blocks, the garbage in shared memory, when copies
// read, how many blocks start early.
void set_seed(uint64_t seed);

// Bytes of shared memory, static and dynamic together, that a block may have; 64 KB, Turing's,
// unless this is called.
void set_block_shared_limit(size_t bytes);

struct Launch {
  Index grid = {}, block = {};
  size_t shared_bytes = 0;     // dynamic
  size_t parameter_bytes = 0;  // of the kernel's arguments
  std::function<void()> kernel = {};
};

// Starts some blocks, which run until they wait for the launch before, and then at most finishes
// earlier launches. Throws Error, and drops all launches that are not finished.
void launch(Launch launch);

// Finishes all launches: a copy and the host see what they wrote. Throws as launch() does.
void synchronise();

// Drops all launches that are not finished.
void reset();

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

// One copy of a thread, of at most 16 bytes: the target holds garbage until wait_copies() has let
// it arrive.
void copy_async(void* target, const void* source, size_t bytes, bool present);
void commit_copies();
void wait_copies(size_t groups_left);

// Each thread calls it, before it ends. Returns when all launches before are finished.
void await_last_launch();

// Ends the launch: launch() or synchronise() throws. The thread is dropped as it stands, so nobody
// up its stack may own memory.
[[noreturn]] void fail(const char* what, Place place, const Place* other = nullptr);

}  // namespace emulator
