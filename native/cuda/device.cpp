#include "cuda/device.h"

#include <algorithm>

#include "cuda/kernels/kernels.h"

#include "base/error.h"

namespace exl::cuda {

namespace {

// What cuMemAlloc aligns to. It cuts what is small from pages, and takes whole ones for the rest.
constexpr size_t kGranularity = 512;

size_t round_up(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

Address address_of(const void* pointer) { return reinterpret_cast<Address>(pointer); }

// After one of these every call of the context fails: a kernel or the hardware did the damage. Of
// most of them cuda.h says that the process must be ended and started again.
bool loses_device(Result result) {
  constexpr Result kinds[] = {
      4,    // the driver is shutting down
      46,   // the device is gone or held by another process
      214,  // memory error that could not be corrected
      220,  // NVLink
      226,  // the same, contained to this process
      700,  // illegal address
      702,  // kernel ran too long
      709,  // context destroyed
      710,  // assertion in a kernel
      714,  // hardware stack
      715,  // illegal instruction
      716,  // misaligned address
      717,  // address space
      718,  // program counter
      719,  // launch failed
      721,  // tensor core
      999,  // unknown
  };
  return std::find(std::begin(kinds), std::end(kinds), result) != std::end(kinds);
}

// There is no code for this device, or it cannot be compiled here.
bool lacks_code(Result result) {
  constexpr Result kinds[] = {
      209,  // no code
      218,  // intermediate code that the driver refuses
      221,  // no compiler
      222,  // a compiler that is older than the intermediate code
      223,  // compiling is switched off
  };
  return std::find(std::begin(kinds), std::end(kinds), result) != std::end(kinds);
}

thread_local Device* launching_device = nullptr;

std::string bytes_text(size_t bytes) {
  const bool large = bytes >= size_t(1) << 30;
  const double value = double(bytes) / double(size_t(1) << (large ? 30 : 20));
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %s", large ? 2 : 1, value, large ? "GiB" : "MiB");
  return text;
}

}  // namespace

std::string result_text(const Driver& driver, Result result) {
  const char *name = nullptr, *text = nullptr;
  driver.error_name(result, &name);
  driver.error_text(result, &text);
  return std::string(text ? text : "an unknown error") + " (" +
         (name ? name : std::to_string(result).c_str()) + ")";
}

Device::Current::Current(Device& device) : device_(device) {
  {
    const std::lock_guard lock(device.mutex_);
    if (!device.lost_.empty()) device.throw_lost();
  }
  device.check(device.driver_.context_push(device.context_), "cuCtxPushCurrent");
}

Device::Current::~Current() {
  Context ignored;
  device_.driver_.context_pop(&ignored);
}

Device::Launching::Launching(Device& device, const char* op) {
  device.started(op);
  launching_device = &device;
}

Device::Launching::~Launching() { launching_device = nullptr; }

Device::Device(const Driver& driver, int index)
    : driver_(driver),
      index_(index),
      block_shared_bytes_([&] {
        int bytes = 0;
        check(driver.device_attribute(&bytes, kBlockSharedBytes, index), "cuDeviceGetAttribute");
        return bytes;
      }()),
      functions_(driver, block_shared_bytes_) {
  // The constructor's own failures must not keep what it has made so far.
  struct Undo {
    Device* device;
    ~Undo() {
      if (device) device->close();
    }
  } undo{this};
  check(driver.context_retain(&context_, index), "cuDevicePrimaryCtxRetain");
  const Current current(*this);
  check_code();
  check(driver.stream_create(&stream_, kNonBlocking), "cuStreamCreate");
  check(driver.stream_create(&service_, kNonBlocking), "cuStreamCreate");
  undo.device = nullptr;
}

Device::~Device() { close(); }

// Others may go on using the context: what was made in it is given back piece by piece.
void Device::close() {
  if (!context_) return;
  if (driver_.context_push(context_) == kSuccess) {
    if (stream_) driver_.stream_destroy(stream_);
    if (service_) driver_.stream_destroy(service_);
    Context ignored;
    driver_.context_pop(&ignored);
  }
  driver_.context_release(index_);
  context_ = nullptr;
}

// All kernels were compiled for the same devices, so one stands for all.
void Device::check_code() {
  FunctionInfo ignored;
  const Result result = driver_.function_info(any_kernel(), &ignored);
  if (lacks_code(result))
    throw Error(Code::DeviceUnavailable,
                name() + " cannot be used: this build (" + kBuild +
                    ") has no code that it can run: cudaFuncGetAttributes failed: " +
                    result_text(driver_, result) +
                    "; use a build for this GPU, or update the driver");
  check(result, "cudaFuncGetAttributes");
}

std::string Device::name() const { return std::string(kKind) + ":" + std::to_string(index_); }

void Device::throw_lost() {
  throw Error(Code::DeviceLost, name() + " was lost: " + lost_ + "; restart the process");
}

void Device::started(const char* what) {
  const std::lock_guard lock(starting_);
  started_ = what;
}

void Device::check(Result result, const char* call) {
  if (result == kSuccess) return;
  const std::string failed = std::string(call) + " failed";
  const std::string cause = ": " + result_text(driver_, result);
  if (result == kOutOfMemory)
    throw Error(Code::OutOfMemory, name() + " has no memory left: " + failed + cause);
  if (!loses_device(result)) throw Error(Code::Internal, name() + ": " + failed + cause);
  std::string last;
  {
    const std::lock_guard lock(starting_);
    last = started_;
  }
  const std::lock_guard lock(mutex_);
  // Kernels fail while nobody looks, so that a later call tells of it.
  if (lost_.empty())
    lost_ = failed + (last.empty() ? "" : ", the last op started being " + last) + cause;
  throw_lost();
}

std::string Device::too_little_shared(int64_t bytes) const {
  if (bytes <= block_shared_bytes_) return {};
  return std::to_string(bytes) + " bytes of shared memory, where a block may have " +
         std::to_string(block_shared_bytes_);
}

void Device::launch(const Launch& launch) {
  const Failure failure = functions_.launch(launch);
  check(failure.result, failure.call);
}

void launch_function(const Launch& launch) {
  if (!launching_device)
    throw Error(Code::Internal, "a kernel was launched outside of a device's run()");
  launching_device->launch(launch);
}

std::string Device::out_of_memory(bool pinned, size_t bytes) {
  size_t free = 0, total = 0;
  driver_.memory_info(&free, &total);
  if (pinned)
    return "out of memory in cuMemAllocHost: the system refused " + bytes_text(bytes) +
           " of pinned memory beside " + name();
  return "out of memory in cuMemAlloc: " + name() + " has " + bytes_text(free) + " free of " +
         bytes_text(total) + ", and " + bytes_text(bytes) + " were asked for";
}

void* Device::allocate(bool pinned, size_t bytes, size_t* reserved) {
  const Current current(*this);
  const bool in_pages = !pinned && bytes >= driver_.page_bytes / 2;
  *reserved = round_up(bytes, in_pages ? driver_.page_bytes : kGranularity);
  if (pinned) {
    void* address = nullptr;
    const Result result = driver_.pinned_allocate(&address, bytes);
    if (result == kOutOfMemory) throw Error(Code::OutOfMemory, out_of_memory(true, bytes));
    check(result, "cuMemAllocHost");
    return address;
  }

  Address address = 0;
  const Result result = driver_.memory_allocate(&address, bytes);
  if (result == kOutOfMemory) throw Error(Code::OutOfMemory, out_of_memory(false, bytes));
  check(result, "cuMemAlloc");
  struct Undo {
    const Driver& driver;
    Address address;
    ~Undo() {
      if (address) driver.memory_free(address);
    }
  } undo{driver_, address};
  {
    Result waited;
    const char* call = "cuMemsetD8Async";
    {
      const std::lock_guard lock(mutex_);
      waited = driver_.memory_set(address, 0, bytes, service_);
      if (waited == kSuccess) {
        call = "cuStreamSynchronize";
        waited = driver_.stream_synchronize(service_);
      }
    }
    check(waited, call);
  }
  undo.address = 0;
  return reinterpret_cast<void*>(address);
}

// The memory of a lost device goes with its context.
void Device::free(bool pinned, void* address) {
  if (driver_.context_push(context_) != kSuccess) return;
  if (pinned)
    driver_.pinned_free(address);
  else
    driver_.memory_free(address_of(address));
  Context ignored;
  driver_.context_pop(&ignored);
}

void Device::write(void* to, const void* from, size_t bytes) {
  const Current current(*this);
  Result result;
  const char* call = "cuMemcpyHtoDAsync";
  {
    const std::lock_guard lock(mutex_);
    result = driver_.upload(address_of(to), from, bytes, service_);
    if (result == kSuccess) {
      call = "cuStreamSynchronize";
      result = driver_.stream_synchronize(service_);
    }
  }
  check(result, call);
}

void Device::upload(void* to, const void* from, size_t bytes) {
  const Current current(*this);
  check(driver_.upload(address_of(to), from, bytes, stream_), "cuMemcpyHtoDAsync");
}

void Device::download(void* to, const void* from, size_t bytes) {
  const Current current(*this);
  check(driver_.download(to, address_of(from), bytes, stream_), "cuMemcpyDtoHAsync");
}

void Device::copy(void* to, const void* from, size_t bytes) {
  const Current current(*this);
  check(driver_.copy(address_of(to), address_of(from), bytes, stream_), "cuMemcpyDtoDAsync");
}

void Device::synchronize() {
  const Current current(*this);
  check(driver_.stream_synchronize(stream_), "cuStreamSynchronize");
}

void Device::capture_begin(bool overlap) {
  const Current current(*this);
  check(driver_.capture_begin(stream_, kCaptureThreadLocal), "cuStreamBeginCapture");
  functions_.allow_overlap(overlap);
}

GraphExec Device::capture_end() {
  functions_.allow_overlap(true);
  const Current current(*this);
  Graph graph = nullptr;
  const Result ended = driver_.capture_end(stream_, &graph);
  GraphExec exec = nullptr;
  const Result made = ended == kSuccess ? driver_.graph_instantiate(&exec, graph, 0) : kSuccess;
  if (graph) driver_.graph_destroy(graph);
  check(ended, "cuStreamEndCapture");
  check(made, "cuGraphInstantiateWithFlags");
  return exec;
}

void Device::launch(GraphExec graph) {
  const Current current(*this);
  started("a recorded step");
  check(driver_.graph_launch(graph, stream_), "cuGraphLaunch");
}

void Device::free(GraphExec graph) {
  if (driver_.context_push(context_) != kSuccess) return;
  driver_.graph_exec_destroy(graph);
  Context ignored;
  driver_.context_pop(&ignored);
}

}  // namespace exl::cuda
