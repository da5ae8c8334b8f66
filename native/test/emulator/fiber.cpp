#include "test/emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if !(defined(__x86_64__) && defined(__ELF__))
#include <ucontext.h>
#define EXL_UCONTEXT 1
#endif

#if defined(__SANITIZE_ADDRESS__)
#define EXL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EXL_ASAN 1
#endif
#endif

#ifdef EXL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// ThreadSanitizer counts calls and returns. A fiber that has ended has not returned from these.
#if defined(__GNUC__)
#define EXL_UNCOUNTED __attribute__((no_sanitize("thread")))
#else
#define EXL_UNCOUNTED
#endif

namespace emulator {

namespace {

// Kernels keep tiles in arrays, and AddressSanitizer pads every one; only touched pages cost.
constexpr size_t kStack = 512 * 1024;

Fiber* running = nullptr;

#ifdef EXL_ASAN
void* scheduler_shadow = nullptr;
const void* scheduler_bottom = nullptr;
size_t scheduler_size = 0;
#endif

}  // namespace

#ifndef EXL_UCONTEXT

// Saves what a call must preserve on the old stack, and takes it from the new one. swapcontext()
// would do the same but for two system calls each time, a hundred times the work.
extern "C" void exl_switch_stack(void** save, void* load);
asm(R"(
.text
.p2align 4
.globl exl_switch_stack
.hidden exl_switch_stack
.type exl_switch_stack,@function
exl_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size exl_switch_stack,.-exl_switch_stack
)");

namespace {
void* scheduler_context = nullptr;
EXL_UNCOUNTED void swap(void*& save, void* load) { exl_switch_stack(&save, load); }
}  // namespace

#else

namespace {
ucontext_t scheduler_ucontext;
void* scheduler_context = &scheduler_ucontext;
void swap(void*& save, void* load) {
  swapcontext(static_cast<ucontext_t*>(save), static_cast<ucontext_t*>(load));
}
}  // namespace

#endif

EXL_UNCOUNTED void fiber_entry() {
#ifdef EXL_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
  Fiber* self = running;
  self->body_(self->argument_);
  self->done_ = true;
  self->leave(true);
  std::abort();  // a finished fiber is never resumed
}

Fiber::Fiber() {
  void* memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("emulator: no memory for the stack of a thread");
    std::abort();
  }
  stack_ = static_cast<std::byte*>(memory);
#ifdef EXL_UCONTEXT
  context_ = new ucontext_t;
#endif
}

Fiber::~Fiber() {
#ifdef EXL_UCONTEXT
  delete static_cast<ucontext_t*>(context_);
#endif
#ifdef EXL_ASAN
  __asan_unpoison_memory_region(stack_, kStack);
#endif
  munmap(stack_, kStack);
}

void Fiber::start(void (*body)(void*), void* argument) {
#ifdef EXL_ASAN
  // A body that was dropped half-way has left the marks of its variables behind.
  __asan_unpoison_memory_region(stack_, kStack);
#endif
  body_ = body;
  argument_ = argument;
  shadow_ = nullptr;
  done_ = false;
#ifdef EXL_UCONTEXT
  auto* context = static_cast<ucontext_t*>(context_);
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = kStack;
  context->uc_link = nullptr;
  makecontext(context, fiber_entry, 0);
#else
  // Six registers, the address to return to, and a slot that leaves the stack aligned as after a
  // call.
  auto* top = reinterpret_cast<void**>(stack_ + kStack) - 8;
  for (int i = 0; i < 8; i++) top[i] = nullptr;
  top[6] = reinterpret_cast<void*>(&fiber_entry);
  context_ = top;
#endif
}

EXL_UNCOUNTED void Fiber::resume() {
  running = this;
#ifdef EXL_ASAN
  __sanitizer_start_switch_fiber(&scheduler_shadow, stack_, kStack);
#endif
  swap(scheduler_context, context_);
#ifdef EXL_ASAN
  __sanitizer_finish_switch_fiber(scheduler_shadow, nullptr, nullptr);
#endif
  running = nullptr;
}

EXL_UNCOUNTED void Fiber::leave([[maybe_unused]] bool forever) {
#ifdef EXL_ASAN
  __sanitizer_start_switch_fiber(forever ? nullptr : &shadow_, scheduler_bottom, scheduler_size);
#endif
  swap(context_, scheduler_context);
#ifdef EXL_ASAN
  __sanitizer_finish_switch_fiber(shadow_, &scheduler_bottom, &scheduler_size);
#endif
}

EXL_UNCOUNTED void Fiber::suspend() { running->leave(false); }

}  // namespace emulator
