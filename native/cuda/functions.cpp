#include "cuda/functions.h"

#include <cstdlib>
#include <string_view>

namespace exl::cuda {

namespace {

// The first whose code has griddepcontrol.wait. What was compiled from older code never waits,
// whatever device it runs on.
constexpr int kOverlapPtxVersion = 90;

// Of a multiprocessor's memory. Blocks of kernels with other shares do not run beside each other.
constexpr int kSharedPercent = 100;

bool overlap_is_off() {
  const char* value = std::getenv("EXL_CUDA_OVERLAP");
  return value && std::string_view(value) == "0";
}

}  // namespace

Functions::Functions(const Driver& driver, int block_shared_bytes)
    : driver_(driver), block_shared_bytes_(block_shared_bytes), never_overlap_(overlap_is_off()) {}

// The limit is the function's, not the launch's, and a recorded launch needs it when it is
// replayed, too: so it is as high as it can be from the first on.
Failure Functions::prepare(Function function, Prepared& prepared) {
  FunctionInfo info;
  if (const Result r = driver_.function_info(function, &info)) return {r, "cudaFuncGetAttributes"};
  const int most_bytes = block_shared_bytes_ - int(info.static_shared_bytes);
  if (const Result r = driver_.function_shared(function, most_bytes, kSharedPercent))
    return {r, "cudaFuncSetAttribute"};
  prepared.can_wait = info.ptx_version >= kOverlapPtxVersion;
  return {};
}

Failure Functions::launch(const Launch& launch) {
  auto known = prepared_.find(launch.function);
  if (known == prepared_.end()) {
    Prepared prepared{};
    if (const Failure failure = prepare(launch.function, prepared); failure.result) return failure;
    known = prepared_.emplace(launch.function, prepared).first;
  }
  const bool overlaps = overlap_ && !never_overlap_ && known->second.can_wait;
  return {driver_.launch(launch, overlaps), "cudaLaunchKernelExC"};
}

}  // namespace exl::cuda
