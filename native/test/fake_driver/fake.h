// A driver for tests: host memory stands for that of a device, and nothing is forgiven.
//
// Streams do nothing until somebody waits for them, so that a missing wait is seen. Device memory
// can be read and written only while a stream runs: whoever takes a device address for one of the
// host crashes. A guard page follows each allocation. What is freed or destroyed twice, or belongs
// to another context, is a misuse, and misuses are counted; so are a launch that may overlap though
// its code cannot wait, and a recorded one that needs more shared memory than its kernel may have
// by then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/driver.h"

namespace exl::fake {

struct Settings {
  int devices = 1;
  size_t total_bytes = size_t(1) << 30;  // of each device
  int version = 13000;
  int major = 8, minor = 0;
  int code = 80;  // what kernels were compiled from; 0: there is no code for this device
  int block_shared_bytes = 64 << 10;  // Turing's, the least there is
  bool records = true;                // launches can be captured
  bool records_overlap = true;        // and those that overlap, too
  size_t page_bytes = 1;              // see Driver
  std::string missing = {};           // why there is no driver at all
  uint64_t seed = 1;                  // of the emulator, which runs the kernels

  // The call that fails, counted from 1 by `calls()`; 0: none does. Calls that give something back
  // do so all the same.
  int64_t fail_at = 0;
  cuda::Result fail_with = 2;  // loses the device if it is such an error
};

// Takes effect at once, and starts counting from zero. Without it, EXL_FAKE_DRIVER is looked at
// whenever devices are listed or opened: `devices=2,total=1048576,fail_at=17,fail_with=700`.
void configure(const Settings& settings);

std::vector<const char*> calls();  // by name

// What the driver holds; all zero after the last device was closed.
struct Held {
  int64_t contexts = 0, streams = 0, graphs = 0, device_buffers = 0, pinned_buffers = 0;
  size_t device_bytes = 0;
};
Held held();

int64_t graph_launches();
int64_t launches();  // and copies, also those of graphs
int64_t overlapping_launches();
std::vector<std::string> misuses();

const cuda::Driver& driver();

}  // namespace exl::fake
