// An opened GPU: its primary context, which it shares with whoever else of the process has opened
// it, streams of its own, and what happens when a call of the driver fails.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/error.h"
#include "cuda/driver.h"
#include "cuda/functions.h"

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
  void capture_begin(bool overlap);
  GraphExec capture_end();
  void launch(GraphExec graph);
  void free(GraphExec graph);

  // Runs `launches`, which start kernels on stream(). `op` is who they are for.
  template <typename F>
  void run(const char* op, const F& launches) {
    const Current current(*this);
    const Launching launching(*this, op);
    launches();
  }
  void launch(const Launch& launch);

  Stream stream() const { return stream_; }
  // An objection, unless a block may have as much shared memory.
  std::string too_little_shared(int64_t bytes) const;
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

  // For as long as this thread launches kernels.
  class Launching {
   public:
    Launching(Device& device, const char* op);
    ~Launching();
  };

  // Throws the error behind a result.
  void check(Result result, const char* call);
  void check_code();
  [[noreturn]] void throw_lost();
  void started(const char* what);
  void close();
  std::string name() const;
  std::string out_of_memory(bool pinned, size_t bytes);

  const Driver& driver_;
  const int index_;

  std::mutex mutex_;     // of the service stream and of lost_
  std::string lost_;     // the first failure that left the context unusable
  std::mutex starting_;  // of started_
  std::string started_;  // what was put on the stream last

  const int block_shared_bytes_;
  Functions functions_;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  Stream service_ = nullptr;  // for what must not wait for the engine; its users take turns
};

// "out of memory (CUDA_ERROR_OUT_OF_MEMORY)"
std::string result_text(const Driver& driver, Result result);

}  // namespace exl::cuda
