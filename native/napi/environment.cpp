#include "napi/environment.h"

#include "base/error.h"

namespace exl {

Environment::Environment(Napi::Env env, Napi::Function error_constructor)
    : env_(env), error_constructor_(Napi::Persistent(error_constructor)) {
  error_constructor_.SuppressDestruct();
  const auto call = [](napi_env caller, napi_value, void* context, void*) {
    // Null while the environment is torn down: no JavaScript may run any more.
    if (caller) static_cast<Environment*>(context)->settle();
  };
  const napi_value name = Napi::String::New(env, "node-exllama");
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, call,
                                  &wake_);
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

Napi::Value Environment::make_error(const Error& error) const {
  const Napi::Env env(env_);
  Napi::Object options = Napi::Object::New(env);
  if (!error.where.empty()) options.Set("op", error.where);
  return error_constructor_.New({Napi::String::New(env, code_name(error.code)),
                                 Napi::String::New(env, error.what()), options});
}

Napi::Value Environment::run(Device& device, std::function<Reply()> work) {
  const auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Env(env_));
  const bool posted = device.engine.post([this, deferred, work = std::move(work)]() mutable {
    Completion done{deferred, nullptr, nullptr};
    try {
      done.reply = work();
    } catch (const Error& error) {
      done.error = std::make_shared<Error>(error);
    } catch (const std::bad_alloc&) {
      done.error = std::make_shared<Error>(Code::OutOfMemory, "the heap is exhausted");
    } catch (const std::exception& error) {
      done.error = std::make_shared<Error>(Code::Internal, error.what());
    }
    // What it worked on may be disposed of by whoever hears of its end, and is then gone.
    work = nullptr;
    complete(std::move(done));
  });
  if (!posted) throw Error(Code::Disposed, "the device is closed");
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  return deferred->Promise();
}

// On the engine thread.
void Environment::complete(Completion completion) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = completions_.empty();
    completions_.push_back(std::move(completion));
  }
  // One wake-up settles everything that has gathered by then.
  if (first) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Environment::settle() {
  std::vector<Completion> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(completions_);
  }
  pending_ -= int64_t(done.size());
  const Napi::Env env(env_);
  const Napi::HandleScope scope(env);
  try {
    account();
    if (pending_ == 0) napi_unref_threadsafe_function(env, wake_);
    for (Completion& completion : done) settle(completion);
  } catch (const Napi::Error&) {
    // JavaScript is being terminated: nobody waits any more, and nothing may run.
  }
}

void Environment::settle(Completion& completion) {
  if (completion.error) {
    completion.deferred->Reject(make_error(*completion.error));
    return;
  }
  Napi::Value value;
  try {
    value = completion.reply(Napi::Env(env_));
  } catch (const Napi::Error& error) {
    completion.deferred->Reject(error.Value());
    return;
  }
  completion.deferred->Resolve(value);
}

void Environment::shut_down() {
  // First every engine, then what they worked on.
  for (const auto& device : devices_) device->engine.stop();
  handles_.clear();
  devices_.clear();
  // Here and not in the destructor, which runs when Node-API may no longer be called.
  error_constructor_.Reset();
}

}  // namespace exl
