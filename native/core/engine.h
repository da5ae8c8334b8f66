// One thread per device: commands run there in order, off the JavaScript thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace exl {

class Engine {
 public:
  using Command = std::function<void()>;  // must not throw

  Engine();   // throws OutOfMemory if there is no thread for it
  ~Engine();  // stops
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // False once the engine is stopping; the command is then dropped.
  bool post(Command command);

  // Interrupts the running command between ops, drops the others and joins the thread. From any
  // thread.
  void stop();

  // Stops every engine when the process exits, before what was registered for its exit so far.
  static void stop_all_at_exit();

  // Commands that take long look here.
  const std::atomic<bool>& stopping() const { return stopping_; }

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Command> commands_;  // stopping must not take memory, which a deque does
  std::atomic<bool> stopping_{false};
  std::mutex joining_;
  std::thread thread_;
};

}  // namespace exl
