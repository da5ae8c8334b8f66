// What native code wants a person to know although nothing failed: a slower way was taken, say. It
// waits here until the JavaScript thread takes it to the loggers.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace exl {

class Notices {
 public:
  // From any thread. A notice that was given before is not repeated.
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    for (const std::string& each : given_)
      if (each == text) return;
    if (given_.size() == kMost) return;
    given_.push_back(text);
    waiting_.push_back(std::move(text));
    any_.store(true, std::memory_order_release);
  }

  // Those that nobody has taken.
  std::vector<std::string> take() {
    if (!any_.load(std::memory_order_acquire)) return {};
    const std::lock_guard lock(mutex_);
    any_.store(false, std::memory_order_release);
    return std::exchange(waiting_, {});
  }

 private:
  static constexpr size_t kMost = 100;
  std::atomic<bool> any_ = false;
  std::mutex mutex_;
  std::vector<std::string> given_, waiting_;
};

}  // namespace exl
