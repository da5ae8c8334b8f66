// One block of a launch: its threads, its shared memory, and who waits for whom.
#pragma once

#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "test/emulator/emulator.h"
#include "test/emulator/fiber.h"

namespace emulator {

struct Copy {
  void* target;
  const void* source;
  size_t bytes;
  bool present;
  bool is_read = false;  // its bytes are in `taken` already
  std::byte taken[16] = {};
};

enum class Waiting { No, Barrier, Warp, Launch };

class Block;

struct Thread {
  Fiber fiber;
  Block* block = nullptr;
  int index = 0;
  Waiting waiting = Waiting::No;
  Place place;
  bool has_awaited = false;               // the launches before
  std::vector<Copy> open;                 // copies since the last commit
  std::deque<std::vector<Copy>> pending;  // committed groups, oldest first
};

struct Warp {
  // Two, so that a fast lane can hand over its next contribution while a slow one still reads.
  Exchange exchanges[2];
  int turn = 0;
  int arrived = 0;
  Place place;
};

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, Free>;

class Block {
 public:
  Block(const Launch& launch, Index at);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Runs until all threads wait for the launch before, or have ended. Throws Error.
  void run_early();
  // Runs to its end. Throws Error.
  void finish();

  // Of the thread that runs.
  void barrier(Place place);
  const Exchange& rendezvous(const void* mine, size_t bytes, Place place,
                             const std::function<void(Exchange&)>& once);
  void* dynamic_shared() { return dynamic_.get(); }
  void* static_shared(const void* key, size_t bytes);
  void await_last_launch();
  void fail(const char* what, Place place, const Place* other);
  void poison(void* memory, size_t bytes) const;

 private:
  void advance();
  void release(Thread& thread);
  Memory poisoned(size_t bytes) const;
  [[noreturn]] void report_deadlock() const;
  int count() const { return int(threads_.size()); }
  static void run_thread(void* block);

  const Launch& launch_;
  const Index at_;
  const uint64_t garbage_;
  const bool is_skewed_;
  bool is_early_ = false;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Warp> warps_;
  std::vector<Thread*> ready_;
  Memory dynamic_;
  std::map<const void*, Memory> static_;
  size_t static_bytes_ = 0;
  int at_barrier_ = 0, awaiting_ = 0, finished_ = 0;
  Place barrier_place_;
  std::string failure_;
};

// All that is random comes from here.
std::mt19937_64& random_bits();
size_t block_shared_limit();

Index delinearise(size_t i, Index size);
std::string text(const Index& index);

}  // namespace emulator
