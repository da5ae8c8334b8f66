#include "napi/environment.h"

#include "base/error.h"

namespace exl {

Environment::Environment(Napi::Env env, Napi::Function error_constructor, Napi::Function notify)
    : env_(env),
      error_constructor_(Napi::Persistent(error_constructor)),
      notify_(Napi::Persistent(notify)) {
  error_constructor_.SuppressDestruct();
  notify_.SuppressDestruct();
  const auto call = [](napi_env caller, napi_value, void* context, void*) {
    // Null while the environment is torn down: no JavaScript may run any more.
    if (caller) static_cast<Environment*>(context)->settle();
  };
  const napi_value name = Napi::String::New(env, "node-exllama");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                      call, &wake_) != napi_ok)
    throw Error(Code::OutOfMemory, "Node has no thread-safe function to give");
  // Only work in flight keeps the process alive.
  napi_unref_threadsafe_function(env, wake_);
  // Hooks run in reverse order: engines are joined while the thread-safe function still exists.
  napi_add_env_cleanup_hook(
      env, [](void* self) { static_cast<Environment*>(self)->shut_down(); }, this);
}

Environment::~Environment() = default;

Environment& Environment::of(Napi::Env env) {
  auto* environment = env.GetInstanceData<Environment>();
  if (!environment) throw Error(Code::Internal, "the addon was used before initialize()");
  return *environment;
}

const Environment::Object& Environment::find(uint32_t handle, const void* type) const {
  const auto found = handles_.find(handle);
  if (found == handles_.end())
    throw Error(Code::Disposed, "the object was disposed (handle " + std::to_string(handle) + ")");
  if (found->second.type != type)
    throw Error(Code::Internal, "handle " + std::to_string(handle) + " is of another type");
  return found->second;
}

bool Environment::release(uint32_t handle) {
  const bool known = handles_.erase(handle) != 0;
  account();
  return known;
}

uint32_t Environment::add_device(std::shared_ptr<Device> device) {
  // process.exit() runs no cleanup hooks, and a GPU's driver takes itself down when a process
  // exits.
  if (device->backend->memory()) Engine::stop_all_at_exit();
  devices_.push_back(device);
  return add(std::move(device));
}

void Environment::close_device(uint32_t handle) {
  const std::shared_ptr<Device> device = get<Device>(handle);
  device->engine.stop();
  std::erase(devices_, device);
  release(handle);
}

void Environment::account() {
  int64_t bytes = 0;
  for (const auto& device : devices_) bytes += int64_t(device->ledger->totals().allocated);
  if (bytes == accounted_) return;
  int64_t total;
  napi_adjust_external_memory(env_, bytes - accounted_, &total);
  accounted_ = bytes;
}

Napi::Value Environment::make_error(Code code, const char* message,
                                    const std::string& where) const {
  const Napi::Env env(env_);
  Napi::Object options = Napi::Object::New(env);
  if (!where.empty()) options.Set("op", where);
  return error_constructor_.New(
      {Napi::String::New(env, code_name(code)), Napi::String::New(env, message), options});
}

// Takes nothing from our own heap, which may be what has failed.
Napi::Value Environment::error_of(const std::exception_ptr& failure) const {
  try {
    std::rethrow_exception(failure);
  } catch (const Napi::Error& error) {
    return error.Value();
  } catch (const Error& error) {
    return make_error(error.code, error.what(), error.where);
  } catch (const std::bad_alloc&) {
    return make_error(Code::OutOfMemory,
                      "no memory is left on the heap; free some, or use a smaller model");
  } catch (const std::exception& error) {
    return make_error(Code::Internal, error.what());
  } catch (...) {
    return make_error(Code::Internal, "an exception of no known type");
  }
}

Napi::Value Environment::run(Device& device, std::function<Reply()> work) {
  const auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Env(env_));
  // Its place is made here, where a failure can be told: on the engine thread nothing may fail but
  // the work.
  const auto done = std::make_shared<Completions>();
  done->push_back({deferred, nullptr, nullptr});
  const bool posted = device.engine.post([this, done, work = std::move(work)]() mutable {
    Completion& completion = done->front();
    try {
      completion.reply = work();
    } catch (...) {
      completion.failure = std::current_exception();
    }
    // What it worked on may be disposed of by whoever hears of its end, and is then gone.
    work = nullptr;
    complete(*done);
  });
  if (!posted) throw Error(Code::Disposed, "the device is closed");
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  return deferred->Promise();
}

// On the engine thread.
void Environment::complete(Completions& done) noexcept {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = completions_.empty();
    completions_.splice(completions_.end(), done);
  }
  // One wake-up settles everything that has gathered by then.
  if (first) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Environment::settle() noexcept {
  Completions done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(completions_);
  }
  pending_ -= int64_t(done.size());
  const Napi::Env env(env_);
  const Napi::HandleScope scope(env);
  account();
  if (pending_ == 0) napi_unref_threadsafe_function(env, wake_);
  for (Completion& completion : done) settle(completion);
  tell_notices();
}

// Whatever goes wrong rejects the promise it goes wrong for.
void Environment::settle(Completion& completion) noexcept {
  try {
    Napi::Value value;
    try {
      if (completion.failure) std::rethrow_exception(completion.failure);
      value = completion.reply(Napi::Env(env_));
    } catch (...) {
      completion.deferred->Reject(error_of(std::current_exception()));
      return;
    }
    completion.deferred->Resolve(value);
  } catch (const Napi::Error&) {
    // JavaScript is being terminated: nobody waits any more, and nothing may run.
  }
}

void Environment::tell_notices() noexcept {
  try {
    // A listener may close devices.
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& device : devices_)
      for (std::string& text : device->backend->notices().take())
        all.emplace_back(device->backend->name(), std::move(text));
    const Napi::Env env(env_);
    for (const auto& [device, text] : all)
      notify_.Call({Napi::String::New(env, device), Napi::String::New(env, text)});
  } catch (...) {
    // Nothing that was asked for is lost with a notice.
  }
}

void Environment::shut_down() {
  // First every engine, then what they worked on.
  for (const auto& device : devices_) device->engine.stop();
  handles_.clear();
  devices_.clear();
  // Here and not in the destructor, which runs when Node-API may no longer be called.
  error_constructor_.Reset();
  notify_.Reset();
}

}  // namespace exl
