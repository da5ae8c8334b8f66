// Starting threads. A thread that cannot be had is an Error, never the end of the process.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace exl {

// The `number`th of `wanted` threads for a purpose that completes "no thread". `run` must not
// throw. Throws OutOfMemory, saying what to do.
std::thread start_thread(const char* purpose, int number, int wanted, std::function<void()> run);

// Helpers of whoever waits for them.
class Helpers {
 public:
  Helpers() = default;
  ~Helpers() { wait(); }
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  // False if the system has no thread to give. `run` must not throw, and outlive the helpers.
  bool start(const std::function<void(size_t)>& run, size_t argument);
  void wait();

 private:
  std::vector<std::thread> threads_;
};

}  // namespace exl
