// Threads that share out the tasks of one kernel at a time. The calling thread works too.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace exl::cpu {

class ThreadPool {
 public:
  ~ThreadPool();

  // Threads that `parallel` uses, the caller included; starts those that are missing.
  void use(int threads);
  int threads() const { return threads_; }

  // Calls task(0) .. task(count - 1), each once, on any thread; returns when all are done. Tasks
  // must not throw. `thread` is below threads() and names the scratch memory a task may use.
  void parallel(int64_t count, const std::function<void(int64_t task, int thread)>& task);

 private:
  void work(int thread);
  void take_tasks(int thread);

  std::vector<std::thread> workers_;
  int threads_ = 1;

  // One job at a time. A worker joins when `round_` changes and signs off in `running_`.
  const std::function<void(int64_t, int)>* task_ = nullptr;
  int64_t count_ = 0;
  int active_ = 1;
  std::atomic<int64_t> next_{0};
  std::atomic<int> running_{0};
  std::atomic<uint32_t> round_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace exl::cpu
