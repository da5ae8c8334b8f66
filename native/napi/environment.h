// The state of one JavaScript environment (the main thread or a worker): its devices, handles and
// pending promises. Nothing is shared between environments, so each loads, runs and exits on its
// own.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/engine.h"
#include "core/program.h"
#include "memory/buffer.h"
#include "sampling/sampler.h"

namespace exl {

struct Device {
  std::string kind;
  std::shared_ptr<Ledger> ledger = std::make_shared<Ledger>();
  std::shared_ptr<Backend> backend;
  Engine engine;

  Allocator allocator(std::string owner) const {
    return {ledger, std::move(owner), backend->memory()};
  }
};

// A tensor of the user, in the activation type of its device.
struct UserTensor {
  Dtype dtype;
  Shape shape;
  BufferPtr buffer;

  Tensor view() const { return {dtype, shape, buffer->data()}; }
};

class Environment {
 public:
  // `notify(device, text)` is told the notices of backends.
  Environment(Napi::Env env, Napi::Function error_constructor, Napi::Function notify);
  ~Environment();

  static Environment& of(Napi::Env env);

  // Handles are numbers that are never used twice. `get` throws Disposed.
  template <typename T>
  uint32_t add(std::shared_ptr<T> object);
  template <typename T>
  std::shared_ptr<T> get(uint32_t handle) const;
  bool release(uint32_t handle);

  uint32_t add_device(std::shared_ptr<Device> device);
  // Stops the engine and forgets the device.
  void close_device(uint32_t handle);

  // Builds the value a promise resolves to, on the JavaScript thread.
  using Reply = std::function<Napi::Value(Napi::Env)>;
  // Runs `work` on the engine thread of a device and settles the returned promise with its reply or
  // its Error.
  Napi::Value run(Device& device, std::function<Reply()> work);

  // The ExlError of whatever was thrown; the JavaScript error itself if it was one.
  Napi::Value error_of(const std::exception_ptr& failure) const;

 private:
  struct Object {
    const void* type;
    std::shared_ptr<void> object;
  };
  struct Completion {
    std::shared_ptr<Napi::Promise::Deferred> deferred;
    Reply reply;
    std::exception_ptr failure;
  };
  using Completions = std::list<Completion>;

  template <typename T>
  static const void* type_of() {
    static const char tag = 0;
    return &tag;
  }
  const Object& find(uint32_t handle, const void* type) const;
  // Tells V8 how much the objects of this environment hold outside its heap, so that it collects in
  // time.
  void account();
  Napi::Value make_error(Code code, const char* message, const std::string& where = {}) const;
  void complete(Completions& done) noexcept;
  void settle() noexcept;
  void settle(Completion& completion) noexcept;
  void tell_notices() noexcept;
  void shut_down();

  napi_env env_;
  Napi::FunctionReference error_constructor_;
  Napi::FunctionReference notify_;
  napi_threadsafe_function wake_ = nullptr;
  std::unordered_map<uint32_t, Object> handles_;
  std::vector<std::shared_ptr<Device>> devices_;
  uint32_t next_handle_ = 1;
  int64_t pending_ = 0;
  int64_t accounted_ = 0;

  std::mutex mutex_;
  Completions completions_;
};

template <typename T>
uint32_t Environment::add(std::shared_ptr<T> object) {
  handles_.emplace(next_handle_, Object{type_of<T>(), std::move(object)});
  return next_handle_++;
}

template <typename T>
std::shared_ptr<T> Environment::get(uint32_t handle) const {
  return std::static_pointer_cast<T>(find(handle, type_of<T>()).object);
}

}  // namespace exl
