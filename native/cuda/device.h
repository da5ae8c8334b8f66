// An opened GPU: a context of its own, its streams, and what happens when a call of the driver
// fails.
#pragma once

#include <mutex>
#include <string>

#include "base/error.h"
#include "cuda/driver.h"

namespace exl::cuda {

class Device {
 public:
  // Throws DeviceUnavailable, OutOfMemory.
  Device(const Driver& driver, int index);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // From any thread.
  void* allocate(bool pinned, size_t bytes, size_t* reserved);
  void free(bool pinned, void* address);
  void write(void* to, const void* from, size_t bytes);

  // On the engine's stream.
  void upload(void* to, const void* from, size_t bytes);
  void download(void* to, const void* from, size_t bytes);
  void copy(void* to, const void* from, size_t bytes);
  void synchronize();
  void capture_begin();
  GraphExec capture_end();
  void launch(GraphExec graph);
  void free(GraphExec graph);

  // Runs `launches`, which start kernels on stream().
  template <typename F>
  void run(const F& launches) {
    const Current current(*this);
    launches();
    check(driver_.launch_error(), "a launch");
  }

  Stream stream() const { return stream_; }
  // Of shared memory that a block may have.
  int block_shared_bytes() const { return block_shared_bytes_; }

 private:
  // Makes the context that of the calling thread. Throws DeviceLost.
  class Current {
   public:
    explicit Current(Device& device);
    ~Current();

   private:
    Device& device_;
  };

  // Throws the error behind a result.
  void check(Result result, const char* call);
  void close();
  std::string name() const;
  std::string out_of_memory(bool pinned, size_t bytes);

  const Driver& driver_;
  int index_;
  int block_shared_bytes_ = 0;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  Stream service_ = nullptr;  // for what must not wait for the engine; its users take turns

  std::mutex mutex_;  // of the service stream and of lost_
  std::string lost_;  // the first failure that left the context unusable
};

// "out of memory (CUDA_ERROR_OUT_OF_MEMORY)"
std::string result_text(const Driver& driver, Result result);

}  // namespace exl::cuda
