#include "core/engine.h"

namespace exl {

Engine::Engine() : thread_([this] { loop(); }) {}

Engine::~Engine() { stop(); }

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
  std::deque<Command> dropped;  // destroyed outside the lock: commands own buffers
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(commands_);
  }
  wake_.notify_one();
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
