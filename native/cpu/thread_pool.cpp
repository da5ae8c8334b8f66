#include "cpu/thread_pool.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace exl::cpu {

namespace {

// Kernels follow each other within microseconds, faster than a sleeping thread wakes; beyond this
// many looks the thread sleeps, so that an idle model costs nothing.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::~ThreadPool() {
  stop_ = true;
  round_++;
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::use(int threads) {
  const int wanted = std::clamp(threads, 1, 255);
  workers_.reserve(size_t(wanted - 1));
  while (int(workers_.size()) < wanted - 1) {
    const int thread = int(workers_.size()) + 1;
    workers_.push_back(
        start_thread("to compute with", thread + 1, wanted, [this, thread] { work(thread); }));
  }
  threads_ = wanted;
}

void ThreadPool::parallel(int64_t count, const std::function<void(int64_t, int)>& task) {
  if (threads_ == 1 || count <= 1 || count > kMostTasks) {
    for (int64_t i = 0; i < count; i++) task(i, 0);
    return;
  }
  task_ = &task;
  done_.store(0, std::memory_order_relaxed);
  ticket_.store(uint64_t(threads_) << (2 * kCountBits) | uint64_t(count) << kCountBits,
                std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  take_tasks(0);
  for (int spins = 0; done_.load(std::memory_order_acquire) != count; spins++) {
    if (spins < kSpins)
      pause();
    else
      std::this_thread::yield();
  }
  if (!failed_.exchange(false, std::memory_order_relaxed)) return;
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::take_tasks(int thread) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (;;) {
    const int64_t next = int64_t(ticket) & kMostTasks;
    const int64_t count = int64_t(ticket >> kCountBits) & kMostTasks;
    if (next >= count || thread >= int(ticket >> (2 * kCountBits))) return;
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    // The job stays open until this task is done, so its function can be read now and not before.
    run_task(next, thread);
    done_.fetch_add(1, std::memory_order_release);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

// The others go on: their tasks are as good as before, and whoever waits counts all of them.
void ThreadPool::run_task(int64_t task, int thread) {
  try {
    (*task_)(task, thread);
  } catch (...) {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
  }
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  while (!stop_) {
    for (int spins = 0; round_.load(std::memory_order_acquire) == seen; spins++) {
      if (spins < kSpins)
        pause();
      else
        round_.wait(seen, std::memory_order_acquire);
    }
    seen = round_.load(std::memory_order_acquire);
    take_tasks(thread);
  }
}

}  // namespace exl::cpu
