#include "core/engine.h"

#include <cstdlib>
#include <set>

#include "base/thread.h"

namespace exl {

namespace {

struct Running {
  std::mutex mutex;
  std::set<Engine*> engines;
};

// Never destroyed: it is looked at while the process exits.
Running& running() {
  static Running& list = *new Running;
  return list;
}

}  // namespace

Engine::Engine() {
  Running& list = running();
  std::set<Engine*> place{this};  // made now: once the thread runs, nothing may fail
  thread_ = start_thread("for a device", 1, 1, [this] { loop(); });
  const std::lock_guard lock(list.mutex);
  list.engines.merge(place);
}

Engine::~Engine() {
  stop();
  const std::lock_guard lock(running().mutex);
  running().engines.erase(this);
}

void Engine::stop_all_at_exit() {
  static const int registered = std::atexit([] {
    const std::lock_guard lock(running().mutex);
    for (Engine* engine : running().engines) engine->stop();
  });
  static_cast<void>(registered);
}

bool Engine::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    commands_.push_back(std::move(command));
  }
  wake_.notify_one();
  return true;
}

void Engine::stop() {
  std::list<Command> dropped;  // destroyed outside the lock: commands own buffers
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(commands_);
  }
  wake_.notify_one();
  const std::lock_guard lock(joining_);
  if (thread_.joinable()) thread_.join();
}

void Engine::loop() {
  for (;;) {
    Command command;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !commands_.empty(); });
      if (stopping_) return;
      command = std::move(commands_.front());
      commands_.pop_front();
    }
    command();
  }
}

}  // namespace exl
