#include "test/emulator/emulator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <utility>
#include <vector>

#include "base/error.h"
#include "test/emulator/fiber.h"

namespace emulator {

namespace {

struct Copy {
  void* target;
  const void* source;
  size_t bytes;
  bool present;
};

enum class Waiting { No, Barrier, Warp };

struct Thread {
  Fiber fiber;
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

std::mt19937_64 random_bits(1);
uint64_t garbage_seed = 1;

// Threads outlive blocks and launches: a stack is worth keeping.
std::vector<std::unique_ptr<Thread>> threads;
std::vector<Warp> warps;
int thread_count = 0;
Builtins current;
Thread* self = nullptr;
const std::function<void()>* body = nullptr;

int at_barrier = 0, finished = 0;
Place barrier_place;
std::vector<Thread*> ready;
Memory dynamic_memory;
std::map<const void*, Memory> static_memory;
std::string failure;

std::string text(const Place& place) {
  std::ostringstream out;
  out << place.file_name() << ":" << place.line();
  return out.str();
}

std::string text(const Index& index) {
  std::ostringstream out;
  out << "(" << index.x << ", " << index.y << ", " << index.z << ")";
  return out.str();
}

bool same(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

// NaNs of every type with even seeds, anything at all with odd ones.
void poison(void* memory, size_t bytes) {
  if (garbage_seed % 2 == 0) {
    std::memset(memory, 0xff, bytes);
    return;
  }
  auto* bytes_of = static_cast<unsigned char*>(memory);
  for (size_t i = 0; i < bytes; i++)
    bytes_of[i] = static_cast<unsigned char>((i * 0x9e3779b1u + garbage_seed * 0x85ebca6bu) >> 11);
}

// Exactly as long as asked for, so that AddressSanitizer sees an access beyond the end.
Memory poisoned(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 128, std::max<size_t>(bytes, 1))) std::abort();
  poison(memory, bytes);
  return Memory(memory);
}

void wait(Waiting kind, const Place& place) {
  self->waiting = kind;
  self->place = place;
  Fiber::suspend();
}

void release(Thread& thread) {
  thread.waiting = Waiting::No;
  ready.push_back(&thread);
}

void run_thread(void*) {
  (*body)();
  if (!self->has_awaited)
    fail("a thread ended without waiting for the launch before", Place::current());
  for (const auto& group : self->pending)
    if (!group.empty()) fail("a thread ended with copies it never waited for", Place::current());
  if (!self->open.empty()) fail("a thread ended with copies it never committed", Place::current());
}

// Who waits where, when nobody can go on.
[[noreturn]] void report_deadlock() {
  std::map<std::string, int> waiting;
  for (int i = 0; i < thread_count; i++) {
    const Thread& thread = *threads[size_t(i)];
    if (thread.fiber.done()) {
      waiting["have ended"]++;
      continue;
    }
    waiting[(thread.waiting == Waiting::Barrier ? "wait for the block at "
                                                : "wait for their warp at ") +
            text(thread.place)]++;
  }
  std::string message = "divergent threads in block " + text(current.block) + ":";
  for (const auto& [what, count] : waiting) message += "\n  " + std::to_string(count) + " " + what;
  throw Error(message);
}

Index delinearise(size_t i, Index size) {
  return {unsigned(i % size.x), unsigned(i / size.x % size.y), unsigned(i / size.x / size.y)};
}

void run_block(Index block, size_t shared_bytes) {
  current.block = block;
  garbage_seed = garbage_seed + 2;
  dynamic_memory = poisoned(shared_bytes);
  static_memory.clear();
  at_barrier = finished = 0;
  for (Warp& warp : warps) warp.arrived = warp.turn = 0;
  ready.clear();
  for (int i = 0; i < thread_count; i++) {
    Thread& thread = *threads[size_t(i)];
    thread.index = i;
    thread.has_awaited = false;
    thread.open.clear();
    thread.pending.clear();
    thread.fiber.start(run_thread, nullptr);
    release(thread);
  }
  std::shuffle(ready.begin(), ready.end(), random_bits);
  // Half of the blocks run whoever became ready last, so that some warps are far ahead of others.
  const bool is_skewed = random_bits() % 2;
  while (finished < thread_count) {
    if (ready.empty()) report_deadlock();
    if (!is_skewed) std::swap(ready[random_bits() % ready.size()], ready.back());
    self = ready.back();
    ready.pop_back();
    current.thread = delinearise(size_t(self->index), current.block_size);
    self->fiber.resume();
    if (!failure.empty()) throw Error(std::exchange(failure, {}));
    if (self->fiber.done()) finished++;
  }
}

}  // namespace

void set_seed(uint64_t seed) {
  random_bits.seed(seed);
  garbage_seed = seed;
}

void run(Index grid, Index block, size_t shared_bytes, const std::function<void()>& kernel) {
  const size_t count = size_t(block.x) * block.y * block.z;
  const size_t blocks = size_t(grid.x) * grid.y * grid.z;
  if (count == 0 || count > 1024 || blocks == 0 || grid.y > 65535 || grid.z > 65535)
    throw Error("a launch of blocks " + text(block) + " in a grid " + text(grid));
  if (count % 32) throw Error("a block of " + std::to_string(count) + " threads: not whole warps");
  while (threads.size() < count) threads.push_back(std::make_unique<Thread>());
  warps.resize(count / 32);
  thread_count = int(count);
  current.block_size = block;
  current.grid_size = grid;
  body = &kernel;
  std::vector<size_t> order(blocks);
  for (size_t i = 0; i < blocks; i++) order[i] = i;
  std::shuffle(order.begin(), order.end(), random_bits);
  for (const size_t i : order) run_block(delinearise(i, grid), shared_bytes);
  dynamic_memory.reset();
  static_memory.clear();
}

const Builtins& builtins() { return current; }

int lane() { return self->index % 32; }

void barrier(Place place) {
  if (at_barrier == 0) barrier_place = place;
  if (!same(place, barrier_place))
    fail("one thread waits for its block here and another at ", place, &barrier_place);
  at_barrier++;
  if (at_barrier < thread_count) return wait(Waiting::Barrier, place);
  at_barrier = 0;
  for (int i = 0; i < thread_count; i++)
    if (threads[size_t(i)]->waiting == Waiting::Barrier) release(*threads[size_t(i)]);
}

const Exchange& rendezvous(const void* mine, size_t bytes, Place place,
                           const std::function<void(Exchange&)>& once) {
  Warp& warp = warps[size_t(self->index / 32)];
  if (bytes > Exchange::kBytes) fail("an operation of a warp hands over too much", place);
  if (warp.arrived == 0) warp.place = place;
  if (!same(place, warp.place))
    fail("one lane is here and another of its warp at ", place, &warp.place);
  Exchange& exchange = warp.exchanges[warp.turn];
  if (bytes) std::memcpy(exchange.of_lane[lane()], mine, bytes);
  if (++warp.arrived < 32) {
    wait(Waiting::Warp, place);
    return exchange;
  }
  if (once) once(exchange);
  warp.arrived = 0;
  warp.turn ^= 1;
  const int first = self->index / 32 * 32;
  for (int i = first; i < first + 32; i++)
    if (threads[size_t(i)]->waiting == Waiting::Warp) release(*threads[size_t(i)]);
  return exchange;
}

void* dynamic_shared() { return dynamic_memory.get(); }

void* static_shared(const void* key, size_t bytes) {
  Memory& memory = static_memory[key];
  if (!memory) memory = poisoned(bytes);
  return memory.get();
}

void copy_async(void* target, const void* source, size_t bytes, bool present) {
  if (reinterpret_cast<uintptr_t>(target) % bytes ||
      (present && reinterpret_cast<uintptr_t>(source) % bytes))
    fail("an asynchronous copy that is not aligned to its size", Place::current());
  poison(target, bytes);
  self->open.push_back({target, source, bytes, present});
}

void commit_copies() { self->pending.push_back(std::exchange(self->open, {})); }

void wait_copies(size_t groups_left) {
  for (; self->pending.size() > groups_left; self->pending.pop_front())
    for (const Copy& copy : self->pending.front()) {
      if (copy.present)
        std::memcpy(copy.target, copy.source, copy.bytes);
      else
        std::memset(copy.target, 0, copy.bytes);
    }
}

void await_last_launch() { self->has_awaited = true; }

void fail(const char* what, Place place, const Place* other) {
  failure = text(place);
  failure += ": ";
  failure += what;
  if (other) failure += text(*other);
  failure += " (thread ";
  failure += text(current.thread);
  failure += " of block ";
  failure += text(current.block);
  failure += ")";
  Fiber::suspend();
  std::abort();  // a failed thread is never resumed
}

}  // namespace emulator
