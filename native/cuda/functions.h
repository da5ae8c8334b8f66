// What has to be known of a kernel, and said of it, before it is launched: once per context, since
// that is where the run time keeps it.
#pragma once

#include <unordered_map>

#include "cuda/driver.h"

namespace exl::cuda {

// A call of the driver that failed.
struct Failure {
  Result result = kSuccess;
  const char* call = nullptr;
};

class Functions {
 public:
  // `block_shared_bytes`: of shared memory that a block may have.
  Functions(const Driver& driver, int block_shared_bytes);

  // Launches it, in the context these functions are of.
  Failure launch(const Launch& launch);

  // Whether launches may start before those before them have ended (ptx/overlap.cuh), where their
  // code can wait. EXL_CUDA_OVERLAP=0 says that none may.
  void allow_overlap(bool allowed) { overlap_ = allowed; }

 private:
  struct Prepared {
    bool can_wait;  // for the launches before it
  };
  Failure prepare(Function function, Prepared& prepared);

  const Driver& driver_;
  const int block_shared_bytes_;
  const bool never_overlap_;
  bool overlap_ = true;
  std::unordered_map<Function, Prepared> prepared_;
};

// For launch.cuh: on the device whose run() this thread is in.
void launch_function(const Launch& launch);

}  // namespace exl::cuda
