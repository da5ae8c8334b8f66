#include "test/emulator/block.h"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/error.h"

namespace emulator {

namespace {

// What a kernel may declare; only dynamic memory goes beyond.
constexpr size_t kMostStaticBytes = 48 << 10;

Thread* self = nullptr;
Builtins current;

// Threads outlive blocks and launches: a stack is worth keeping.
std::vector<std::unique_ptr<Thread>> idle;

std::string text(const Place& place) {
  std::ostringstream out;
  out << place.file_name() << ":" << place.line();
  return out.str();
}

bool same(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

void wait(Waiting kind, const Place& place) {
  self->waiting = kind;
  self->place = place;
  Fiber::suspend();
}

const char* what_for(Waiting waiting) {
  switch (waiting) {
    case Waiting::Barrier:
      return "wait for the block at ";
    case Waiting::Launch:
      return "wait for the launch before at ";
    default:
      return "wait for their warp at ";
  }
}

void take(Copy& copy) {
  if (copy.present) std::memcpy(copy.taken, copy.source, copy.bytes);
  copy.is_read = true;
}

}  // namespace

std::string text(const Index& index) {
  std::ostringstream out;
  out << "(" << index.x << ", " << index.y << ", " << index.z << ")";
  return out.str();
}

Index delinearise(size_t i, Index size) {
  return {unsigned(i % size.x), unsigned(i / size.x % size.y), unsigned(i / size.x / size.y)};
}

Block::Block(const Launch& launch, Index at)
    : launch_(launch), at_(at), garbage_(random_bits()()), is_skewed_(random_bits()() % 2) {
  const size_t count = size_t(launch.block.x) * launch.block.y * launch.block.z;
  warps_.resize(count / 32);
  dynamic_ = poisoned(launch.shared_bytes);
  for (size_t i = 0; i < count; i++) {
    if (idle.empty()) idle.push_back(std::make_unique<Thread>());
    Thread& thread = *threads_.emplace_back(std::move(idle.back()));
    idle.pop_back();
    thread.block = this;
    thread.index = int(i);
    thread.has_awaited = false;
    thread.open.clear();
    thread.pending.clear();
    thread.fiber.start(run_thread, this);
    release(thread);
  }
  std::shuffle(ready_.begin(), ready_.end(), random_bits());
}

Block::~Block() {
  for (auto& thread : threads_) idle.push_back(std::move(thread));
}

void Block::run_thread(void* block) {
  static_cast<Block*>(block)->launch_.kernel();
  if (!self->has_awaited)
    emulator::fail("a thread ended without waiting for the launch before", Place::current());
  for (const auto& group : self->pending)
    if (!group.empty())
      emulator::fail("a thread ended with copies it never waited for", Place::current());
  if (!self->open.empty())
    emulator::fail("a thread ended with copies it never committed", Place::current());
}

// NaNs of every type, or anything at all.
void Block::poison(void* memory, size_t bytes) const {
  if (garbage_ % 2 == 0) {
    std::memset(memory, 0xff, bytes);
    return;
  }
  auto* bytes_of = static_cast<unsigned char*>(memory);
  for (size_t i = 0; i < bytes; i++)
    bytes_of[i] = static_cast<unsigned char>((i * 0x9e3779b1u + garbage_ * 0x85ebca6bu) >> 11);
}

// Exactly as long as asked for, so that AddressSanitizer sees an access beyond the end.
Memory Block::poisoned(size_t bytes) const {
  void* memory = nullptr;
  if (posix_memalign(&memory, 128, std::max<size_t>(bytes, 1))) std::abort();
  poison(memory, bytes);
  return Memory(memory);
}

void Block::release(Thread& thread) {
  thread.waiting = Waiting::No;
  ready_.push_back(&thread);
}

// Who waits where, when nobody can go on.
void Block::report_deadlock() const {
  std::map<std::string, int> waiting;
  for (const auto& thread : threads_)
    waiting[thread->fiber.done() ? "have ended"
                                 : what_for(thread->waiting) + text(thread->place)]++;
  std::string message = "divergent threads in block " + text(at_) + ":";
  for (const auto& [what, count] : waiting) message += "\n  " + std::to_string(count) + " " + what;
  throw Error(message);
}

void Block::run_early() {
  is_early_ = true;
  advance();
}

void Block::finish() {
  is_early_ = false;
  awaiting_ = 0;
  for (auto& thread : threads_)
    if (!thread->fiber.done() && thread->waiting == Waiting::Launch) release(*thread);
  advance();
}

// Half of the blocks run whoever became ready last, so that some warps are far ahead of others.
void Block::advance() {
  while (finished_ < count()) {
    if (ready_.empty() && awaiting_ > 0) return;
    if (ready_.empty()) report_deadlock();
    if (!is_skewed_) std::swap(ready_[random_bits()() % ready_.size()], ready_.back());
    self = ready_.back();
    ready_.pop_back();
    current = {delinearise(size_t(self->index), launch_.block), at_, launch_.block, launch_.grid};
    self->fiber.resume();
    if (!failure_.empty()) throw Error(failure_);
    if (self->fiber.done()) finished_++;
  }
}

void Block::barrier(Place place) {
  if (at_barrier_ == 0) barrier_place_ = place;
  if (!same(place, barrier_place_))
    emulator::fail("one thread waits for its block here and another at ", place, &barrier_place_);
  at_barrier_++;
  if (at_barrier_ < count()) return wait(Waiting::Barrier, place);
  at_barrier_ = 0;
  for (auto& thread : threads_)
    if (thread->waiting == Waiting::Barrier) release(*thread);
}

const Exchange& Block::rendezvous(const void* mine, size_t bytes, Place place,
                                  const std::function<void(Exchange&)>& once) {
  const size_t index = size_t(self->index / 32);
  Warp& warp = warps_[index];
  if (bytes > Exchange::kBytes) emulator::fail("an operation of a warp hands over too much", place);
  if (warp.arrived == 0) warp.place = place;
  if (!same(place, warp.place))
    emulator::fail("one lane is here and another of its warp at ", place, &warp.place);
  Exchange& exchange = warp.exchanges[warp.turn];
  if (bytes) std::memcpy(exchange.of_lane[lane()], mine, bytes);
  if (++warp.arrived < 32) {
    wait(Waiting::Warp, place);
    return exchange;
  }
  if (once) once(exchange);
  warp.arrived = 0;
  warp.turn ^= 1;
  for (size_t i = index * 32; i < index * 32 + 32; i++)
    if (threads_[i]->waiting == Waiting::Warp) release(*threads_[i]);
  return exchange;
}

void* Block::static_shared(const void* key, size_t bytes) {
  Memory& memory = static_[key];
  if (memory) return memory.get();
  static_bytes_ += (bytes + 15) / 16 * 16;
  if (static_bytes_ > kMostStaticBytes)
    emulator::fail("a kernel declares more than 48 KB of shared memory", Place::current());
  if (static_bytes_ + launch_.shared_bytes > block_shared_limit())
    emulator::fail("static and dynamic shared memory are together more than a block may have",
                   Place::current());
  memory = poisoned(bytes);
  return memory.get();
}

void Block::await_last_launch() {
  self->has_awaited = true;
  if (!is_early_) return;
  awaiting_++;
  wait(Waiting::Launch, Place::current());
}

void Block::fail(const char* what, Place place, const Place* other) {
  failure_ = text(place);
  failure_ += ": ";
  failure_ += what;
  if (other) failure_ += text(*other);
  failure_ += " (thread ";
  failure_ += text(current.thread);
  failure_ += " of block ";
  failure_ += text(at_);
  failure_ += ")";
}

const Builtins& builtins() { return current; }
int lane() { return self->index % 32; }
void barrier(Place place) { self->block->barrier(place); }
const Exchange& rendezvous(const void* mine, size_t bytes, Place place,
                           const std::function<void(Exchange&)>& once) {
  return self->block->rendezvous(mine, bytes, place, once);
}
void* dynamic_shared() { return self->block->dynamic_shared(); }
void* static_shared(const void* key, size_t bytes) {
  return self->block->static_shared(key, bytes);
}
void await_last_launch() { self->block->await_last_launch(); }

void copy_async(void* target, const void* source, size_t bytes, bool present) {
  if (bytes > sizeof(Copy::taken)) fail("an asynchronous copy of too much", Place::current());
  if (reinterpret_cast<uintptr_t>(target) % bytes ||
      (present && reinterpret_cast<uintptr_t>(source) % bytes))
    fail("an asynchronous copy that is not aligned to its size", Place::current());
  Copy copy{target, source, bytes, present};
  if (random_bits()() % 2) take(copy);
  self->block->poison(target, bytes);
  self->open.push_back(copy);
}

void commit_copies() { self->pending.push_back(std::exchange(self->open, {})); }

void wait_copies(size_t groups_left) {
  for (; self->pending.size() > groups_left; self->pending.pop_front())
    for (Copy& copy : self->pending.front()) {
      if (!copy.is_read) take(copy);
      std::memcpy(copy.target, copy.taken, copy.bytes);
    }
}

void fail(const char* what, Place place, const Place* other) {
  self->block->fail(what, place, other);
  Fiber::suspend();
  std::abort();  // a failed thread is never resumed
}

}  // namespace emulator
