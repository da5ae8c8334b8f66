#include "base/thread.h"

#include <string>
#include <system_error>

#include "base/error.h"

namespace exl {

std::thread start_thread(const char* purpose, int number, int wanted, std::function<void()> run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    throw Error(Code::OutOfMemory,
                std::string("the system has no thread ") + purpose + ": number " +
                    std::to_string(number) + " of " + std::to_string(wanted) +
                    " could not be started (" + error.code().message() +
                    "); use fewer `threads`, or raise the limit of processes (ulimit -u, or the "
                    "container's)");
  }
}

bool Helpers::start(const std::function<void(size_t)>& run, size_t argument) {
  try {
    threads_.reserve(threads_.size() + 1);
    threads_.emplace_back([&run, argument] { run(argument); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void Helpers::wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace exl
