#include "cpu/thread_pool.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace exl::cpu {

namespace {

// Kernels follow each other within microseconds, faster than a sleeping thread wakes; beyond this
// many looks the thread sleeps, so that an idle model costs nothing.
constexpr int kSpins = 4000;

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
  threads_ = threads < 1 ? 1 : threads;
  while (int(workers_.size()) < threads_ - 1) {
    const int thread = int(workers_.size()) + 1;
    workers_.emplace_back([this, thread] { work(thread); });
  }
}

void ThreadPool::parallel(int64_t count, const std::function<void(int64_t, int)>& task) {
  if (threads_ == 1 || count <= 1) {
    for (int64_t i = 0; i < count; i++) task(i, 0);
    return;
  }
  task_ = &task;
  count_ = count;
  active_ = threads_;
  next_.store(0, std::memory_order_relaxed);
  running_.store(int(workers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  take_tasks(0);
  // Every worker reads the job before it signs off, so the next job cannot overtake a slow one.
  for (int spins = 0; running_.load(std::memory_order_acquire) != 0; spins++) {
    if (spins < kSpins)
      pause();
    else
      std::this_thread::yield();
  }
}

void ThreadPool::take_tasks(int thread) {
  for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
    (*task_)(i, thread);
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  for (;;) {
    for (int spins = 0; round_.load(std::memory_order_acquire) == seen; spins++) {
      if (spins < kSpins)
        pause();
      else
        round_.wait(seen, std::memory_order_acquire);
    }
    seen++;
    if (stop_) return;
    if (thread < active_) take_tasks(thread);
    running_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace exl::cpu
