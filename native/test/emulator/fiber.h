// A stack of its own and a way to leave it and come back: what one CUDA thread needs to wait for
// others while a single host thread runs them all.
#pragma once

#include <cstddef>

namespace emulator {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Makes the next resume() call `body(argument)`. Whatever ran here before is dropped.
  void start(void (*body)(void*), void* argument);

  // Runs until suspend() or the end of the body; called by the scheduler.
  void resume();

  // Back to whoever called resume(); called on the fiber that runs.
  static void suspend();

  bool done() const { return done_; }

 private:
  friend void fiber_entry();
  void leave(bool forever);

  std::byte* stack_;
  void* context_ =
      nullptr;  // stack pointer, or ucontext_t where there is no switch for the machine
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  void* shadow_ = nullptr;  // AddressSanitizer's record of this stack
  bool done_ = true;
};

}  // namespace emulator
