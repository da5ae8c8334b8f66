// Every kernel, best first.
#pragma once

#include <span>
#include <string>

#include "cuda/call.h"

namespace exl::cuda {

struct Kernel {
  const char* op;
  const char* name;
  std::string (*refuses)(const ExlCall&);  // an objection, or nothing; null: never refuses
  uint64_t (*scratch)(const ExlCall&);     // bytes, for the call at its largest; null: none
  void (*run)(Stream, const ExlCall&);     // launches
  // In the place of `run`: calls of one first input, with as few launches as it can.
  void (*run_together)(Stream, Calls) = nullptr;
  // The most shared memory that a launch asks for, for calls of any size up to this one; null:
  // none.
  int64_t (*shared_bytes)(const ExlCall&) = nullptr;
};

std::span<const Kernel> kernels();

}  // namespace exl::cuda
