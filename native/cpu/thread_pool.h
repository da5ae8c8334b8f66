// Threads that share out the tasks of one kernel at a time. The calling thread works too.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace exl::cpu {

class ThreadPool {
 public:
  ~ThreadPool();

  // Threads that `parallel` uses, the caller included; starts those that are missing. Throws
  // OutOfMemory, and nothing has changed, if the system has none to give.
  void use(int threads);
  int threads() const { return threads_; }

  // Calls task(0) .. task(count - 1), each once, on any thread; returns when all are done, and
  // throws what the first of them threw that failed. `thread` is below threads() and names the
  // scratch memory a task may use.
  void parallel(int64_t count, const std::function<void(int64_t task, int thread)>& task);

 private:
  void work(int thread);
  void take_tasks(int thread);
  void run_task(int64_t task, int thread);

  std::vector<std::thread> workers_;
  int threads_ = 1;

  // The job in hand: how many threads may take tasks, how many tasks there are, and the next one.
  // All in one word, so that a worker that wakes late either takes a task of whatever job is open
  // or sees that there is none: nobody has to wait for it.
  static constexpr int kCountBits = 28;
  static constexpr int64_t kMostTasks = (int64_t(1) << kCountBits) - 1;
  std::atomic<uint64_t> ticket_{0};
  const std::function<void(int64_t, int)>* task_ = nullptr;
  std::atomic<int64_t> done_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;  // of the first that failed

  std::atomic<uint32_t> round_{0};  // changes with every job: what sleeping workers watch
  std::atomic<bool> stop_{false};
};

}  // namespace exl::cpu
