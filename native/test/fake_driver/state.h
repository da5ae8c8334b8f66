// What the fake driver knows. Everything is guarded by one mutex: threads of a test take turns.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "test/fake_driver/fake.h"

// What was said of a kernel.
struct FunctionState {
  size_t most_shared_bytes = 48 << 10;
  int percent = -1;
};

// The primary context of a device.
struct CUctx_st {
  int device = 0;
  int users = 0;
  exl::cuda::Result lost = 0;  // what every call answers from now on
  std::map<exl::cuda::Function, FunctionState> functions;
};

struct Work {
  std::function<void()> run;
  exl::cuda::Function function = nullptr;  // null: a copy
  size_t shared_bytes = 0;
};

struct CUstream_st {
  CUctx_st* context = nullptr;
  std::vector<Work> queue;
  bool capturing = false;
  bool invalid = false;  // what it captures
};

struct CUgraph_st {
  CUctx_st* context = nullptr;
  std::vector<Work> work;
};

struct CUgraphExec_st {
  CUctx_st* context = nullptr;
  std::vector<Work> work;
};

namespace exl::fake {

// Pages of their own, the last of them a guard; the end of the data is as close to it as alignment
// lets it be.
struct Block {
  CUctx_st* context = nullptr;
  std::byte* pages = nullptr;
  size_t mapped = 0;  // without the guard
  size_t bytes = 0;
  bool pinned = false;
};

struct State {
  std::recursive_mutex mutex;
  Settings settings;
  bool configured = false;  // by a test that is linked with it; else by the environment
  std::string environment;
  std::vector<const char*> calls;  // by name
  bool left_behind = false;  // what could not be given back, since its context could not be entered
  int64_t graph_launches = 0, launches = 0, overlapping_launches = 0;
  std::vector<std::string> misuses;
  std::string failure;  // what a kernel did wrong: the text of the next "launch failed"

  std::set<CUctx_st*> contexts;
  std::set<CUstream_st*> streams;
  std::set<CUgraph_st*> graphs;
  std::set<CUgraphExec_st*> execs;
  std::map<std::byte*, Block> blocks;  // by the address of their data

  void misuse(const std::string& what) { misuses.push_back(what); }
  size_t used(int device) const;
  size_t taken(size_t bytes) const;  // by an allocation
};

State& state();
CUctx_st*& current();  // of this thread

// Null if there is none. `poison` fills it.
std::byte* map_block(CUctx_st* context, size_t bytes, bool pinned);
void unmap_block(std::byte* data);
// The block that holds [data, data + bytes), or null.
const Block* find_block(const void* data, size_t bytes);
// Lets the host touch the device memory of a context, or not.
void expose(CUctx_st* context, bool exposed);

// In order with everything else on the stream.
void enqueue(CUstream_st& stream, Work work);
// Runs what waits on a stream; on an error the context is lost.
cuda::Result drain(CUstream_st& stream);
cuda::Result drain_all(CUctx_st& context);

}  // namespace exl::fake
