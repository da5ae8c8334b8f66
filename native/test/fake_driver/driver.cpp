#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cuda/device.h"
#include "test/emulator/emulator.h"
#include "test/fake_driver/calls.h"
#include "test/fake_driver/state.h"

namespace exl::fake {

using cuda::Address;
using cuda::Context;
using cuda::Graph;
using cuda::GraphExec;
using cuda::kOutOfMemory;
using cuda::kSuccess;
using cuda::Result;
using cuda::Stream;

namespace {

constexpr Result kInvalidValue = 1, kInvalidDevice = 101, kInvalidContext = 201, kNoCode = 209,
                 kInvalidHandle = 400;
constexpr Result kLaunchFailed = 719, kCaptureInvalid = 901;

using Lock = std::lock_guard<std::recursive_mutex>;

// Before every call but those that give something back.
Result begin() {
  CUctx_st* context = current();
  return context ? context->lost : kSuccess;
}

// The same, of calls that need a context.
Result begin_in_context() {
  if (!current()) {
    state().misuse("a call without a context");
    return kInvalidContext;
  }
  return begin();
}

std::byte* pointer(Address address) { return reinterpret_cast<std::byte*>(address); }

Result init(unsigned) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  return state().settings.devices > 0 ? kSuccess : cuda::kNoDevice;
}

Result driver_version(int* version) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  *version = state().settings.version;
  return kSuccess;
}

Result error_name(Result result, const char** name) {
  thread_local std::string text;
  text = "FAKE_ERROR_" + std::to_string(result);
  *name = text.c_str();
  return kSuccess;
}

Result error_text(Result result, const char** text) {
  thread_local std::string kept;
  const Lock lock(state().mutex);
  const std::string& failure = state().failure;
  kept = result == kLaunchFailed && !failure.empty() ? failure
         : result == kOutOfMemory                    ? "out of memory"
                                                     : "a failure on demand";
  *text = kept.c_str();
  return kSuccess;
}

Result device_count(int* count) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  *count = state().settings.devices;
  return kSuccess;
}

Result device_name(char* name, int length, int device) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  std::snprintf(name, size_t(length), "emulated GPU %d", device);
  return kSuccess;
}

Result device_bus_id(char* id, int length, int device) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  std::snprintf(id, size_t(length), "%d", device);
  return kSuccess;
}

Result device_bytes(size_t* bytes, int) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  *bytes = state().settings.total_bytes;
  return kSuccess;
}

Result device_attribute(int* value, int attribute, int) {
  const Lock lock(state().mutex);
  if (const Result r = begin()) return r;
  const Settings& settings = state().settings;
  *value = attribute == cuda::kMajor   ? settings.major
           : attribute == cuda::kMinor ? settings.minor
                                       : settings.block_shared_bytes;
  return kSuccess;
}

Result context_retain(Context* context, int device) {
  State& s = state();
  const Lock lock(s.mutex);
  if (const Result r = begin()) return r;
  if (device < 0 || device >= s.settings.devices) return kInvalidDevice;
  const auto found = std::find_if(s.contexts.begin(), s.contexts.end(),
                                  [&](Context known) { return known->device == device; });
  *context = found == s.contexts.end() ? new CUctx_st : *found;
  (*context)->device = device;
  s.contexts.insert(*context);
  (*context)->users++;
  return kSuccess;
}

// With its last user the context goes, and takes everything along, as the real one does.
void destroy_context(Context context) {
  State& s = state();
  s.contexts.erase(context);
  const auto take = [&](auto& set, auto give) {
    for (auto i = set.begin(); i != set.end();)
      if ((*i)->context == context)
        give(*i), i = set.erase(i);
      else
        ++i;
  };
  bool empty = true;
  take(s.streams, [&](Stream stream) { delete stream, empty = false; });
  take(s.graphs, [&](Graph graph) { delete graph, empty = false; });
  take(s.execs, [&](GraphExec exec) { delete exec, empty = false; });
  std::vector<std::byte*> mine;
  for (const auto& [data, block] : s.blocks)
    if (block.context == context) mine.push_back(data);
  for (std::byte* data : mine) unmap_block(data);
  if ((!mine.empty() || !empty) && !context->lost && !s.left_behind)
    s.misuse("a context was released with something in it");
  delete context;
}

Result context_release(int device) {
  State& s = state();
  const Lock lock(s.mutex);
  for (Context context : s.contexts) {
    if (context->device != device) continue;
    if (--context->users == 0) destroy_context(context);
    return kSuccess;
  }
  s.misuse("a context that does not exist was released");
  return kInvalidContext;
}

// One thread never has two contexts here, so there is no stack.
Result context_push(Context context) {
  const Lock lock(state().mutex);
  if (!state().contexts.count(context)) {
    state().misuse("a context that does not exist was pushed");
    return kInvalidContext;
  }
  if (current()) state().misuse("two contexts on one thread");
  current() = context;
  return kSuccess;
}

Result context_pop(Context* context) {
  const Lock lock(state().mutex);
  if (!current()) state().misuse("no context to pop");
  *context = std::exchange(current(), nullptr);
  return kSuccess;
}

Result memory_info(size_t* free, size_t* total) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  *total = state().settings.total_bytes;
  *free = *total - state().used(current()->device);
  return kSuccess;
}

Result memory_allocate(Address* address, size_t bytes) {
  State& s = state();
  const Lock lock(s.mutex);
  if (const Result r = begin_in_context()) return r;
  if (bytes == 0) return kInvalidValue;
  if (s.taken(bytes) > s.settings.total_bytes - s.used(current()->device)) return kOutOfMemory;
  *address = reinterpret_cast<Address>(map_block(current(), bytes, false));
  return *address ? kSuccess : kOutOfMemory;
}

Result release(std::byte* data, bool pinned) {
  State& s = state();
  const Lock lock(s.mutex);
  const auto found = s.blocks.find(data);
  if (found == s.blocks.end() || found->second.pinned != pinned ||
      found->second.context != current()) {
    s.misuse("memory was freed that is not there");
    return kInvalidValue;
  }
  if (current()->lost) return current()->lost;
  const Result waited = drain_all(*current());  // as the real one does
  if (waited) return waited;
  unmap_block(data);
  return kSuccess;
}

Result memory_free(Address address) { return release(pointer(address), false); }
Result pinned_free(void* address) { return release(static_cast<std::byte*>(address), true); }

Result pinned_allocate(void** address, size_t bytes) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (bytes == 0) return kInvalidValue;
  *address = map_block(current(), bytes, true);
  return *address ? kSuccess : kOutOfMemory;
}

bool on_device(const void* data, size_t bytes) {
  const Block* block = find_block(data, bytes);
  if (block && !block->pinned && block->context == current()) return true;
  state().misuse("a copy beyond device memory");
  return false;
}

// Memory that is not pinned is copied while the caller waits.
Result start_copy(Stream stream, bool wait, std::function<void()> copy) {
  if (stream->capturing && wait) {
    stream->capturing = false;
    return kCaptureInvalid;
  }
  // Only launches overlap: a copy sees all that was launched before it.
  enqueue(*stream, {[copy = std::move(copy)] {
    emulator::synchronise();
    copy();
  }});
  return wait ? drain(*stream) : kSuccess;
}

bool is_pinned(const void* data, size_t bytes) {
  const Block* block = find_block(data, bytes);
  return block && block->pinned;
}

Result memory_set(Address to, unsigned char value, size_t bytes, Stream stream) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (!on_device(pointer(to), bytes)) return kInvalidValue;
  return start_copy(stream, false, [=] { std::memset(pointer(to), value, bytes); });
}

Result upload(Address to, const void* from, size_t bytes, Stream stream) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (!on_device(pointer(to), bytes)) return kInvalidValue;
  return start_copy(stream, !is_pinned(from, bytes),
                    [=] { std::memcpy(pointer(to), from, bytes); });
}

Result download(void* to, Address from, size_t bytes, Stream stream) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (!on_device(pointer(from), bytes)) return kInvalidValue;
  return start_copy(stream, !is_pinned(to, bytes), [=] { std::memcpy(to, pointer(from), bytes); });
}

Result copy(Address to, Address from, size_t bytes, Stream stream) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (!on_device(pointer(to), bytes) || !on_device(pointer(from), bytes)) return kInvalidValue;
  return start_copy(stream, false, [=] { std::memcpy(pointer(to), pointer(from), bytes); });
}

Result stream_create(Stream* stream, unsigned) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  *stream = new CUstream_st{current(), {}, false};
  state().streams.insert(*stream);
  return kSuccess;
}

template <typename T>
Result destroy(std::set<T*>& set, T* object, const char* what) {
  const Lock lock(state().mutex);
  if (!set.erase(object)) {
    state().misuse(std::string(what) + " that does not exist was destroyed");
    return kInvalidValue;
  }
  delete object;
  return kSuccess;
}

Result stream_destroy(Stream stream) { return destroy(state().streams, stream, "a stream"); }

Result stream_synchronize(Stream stream) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (stream->capturing) {
    stream->capturing = false;
    return kCaptureInvalid;
  }
  return drain(*stream);
}

// What waits runs before, so that the graph holds what was launched since.
Result capture_begin(Stream stream, int) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (const Result r = drain(*stream)) return r;
  stream->capturing = true;
  return kSuccess;
}

Result capture_end(Stream stream, Graph* graph) {
  const Lock lock(state().mutex);
  const bool capturing = std::exchange(stream->capturing, false);
  std::vector<Work> work = std::exchange(stream->queue, {});
  if (const Result r = begin_in_context()) return r;
  if (!capturing || std::exchange(stream->invalid, false)) return kCaptureInvalid;
  *graph = new CUgraph_st{current(), std::move(work)};
  state().graphs.insert(*graph);
  return kSuccess;
}

// What a recorded launch needs is looked at when it is made ready and when it runs, not when it was
// recorded.
bool fits(const std::vector<Work>& list) {
  for (const Work& work : list) {
    if (!work.function) continue;
    if (work.shared_bytes <= current()->functions[work.function].most_shared_bytes) continue;
    state().misuse("a recorded launch needs more shared memory than its kernel may have");
    return false;
  }
  return true;
}

Result graph_instantiate(GraphExec* exec, Graph graph, unsigned long long) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (!fits(graph->work)) return kInvalidValue;
  *exec = new CUgraphExec_st{current(), graph->work};
  state().execs.insert(*exec);
  return kSuccess;
}

Result graph_launch(GraphExec exec, Stream stream) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (!fits(exec->work)) return kInvalidValue;
  state().graph_launches++;
  for (const Work& work : exec->work) enqueue(*stream, work);
  return kSuccess;
}

Result graph_destroy(Graph graph) { return destroy(state().graphs, graph, "a graph"); }
Result graph_exec_destroy(GraphExec exec) { return destroy(state().execs, exec, "a graph"); }

Result function_info(cuda::Function, cuda::FunctionInfo* info) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (state().settings.code == 0) return kNoCode;
  *info = {state().settings.code, 0};
  return kSuccess;
}

Result function_shared(cuda::Function function, int most_bytes, int percent) {
  const Lock lock(state().mutex);
  if (const Result r = begin_in_context()) return r;
  if (most_bytes > state().settings.block_shared_bytes) return kInvalidValue;
  current()->functions[function] = {size_t(most_bytes), percent};
  return kSuccess;
}

Result launch(const cuda::Launch& l, bool overlaps) {
  State& s = state();
  const Lock lock(s.mutex);
  if (const Result r = begin_in_context()) return r;
  const FunctionState& function = current()->functions[l.function];
  if (l.shared_bytes > function.most_shared_bytes) return kInvalidValue;
  if (l.stream->capturing && (!s.settings.records || (overlaps && !s.settings.records_overlap))) {
    l.stream->invalid = true;
    return kInvalidHandle;
  }
  // Blocks of kernels with other shares would not run beside each other.
  for (const auto& [other, said] : current()->functions)
    if (said.percent != function.percent) s.misuse("kernels with different shares");
  if (overlaps && s.settings.code < 90) s.misuse("a kernel overlaps that cannot wait");
  s.overlapping_launches += overlaps;
  enqueue(*l.stream,
          {*static_cast<std::function<void()>*>(l.arguments[0]), l.function, l.shared_bytes});
  return kSuccess;
}

bool free_bytes(const char* bus_id, size_t* bytes) {
  const Lock lock(state().mutex);
  *bytes = state().settings.total_bytes - state().used(std::atoi(bus_id));
  return true;
}

}  // namespace

const cuda::Driver& driver() {
  static cuda::Driver table{
#define EXL_FIELD(field, name, parameters) Call<field, names::field>::run,
      EXL_DRIVER_FUNCTIONS(EXL_FIELD)
#undef EXL_FIELD
          Call<function_info, names::function_info>::run,
      Call<function_shared, names::function_shared>::run,
      Call<launch, names::launch>::run,
      free_bytes,
      1,
      12040};
  table.page_bytes = state().settings.page_bytes;
  return table;
}

}  // namespace exl::fake
