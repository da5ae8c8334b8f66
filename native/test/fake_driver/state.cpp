#include "test/fake_driver/state.h"

#include <cstdlib>
#include <exception>
#include <sstream>
#include <utility>

#include "test/emulator/emulator.h"

namespace exl::fake {

State& state() {
  static State* all = new State;  // outlives every thread
  return *all;
}

CUctx_st*& current() {
  thread_local CUctx_st* context = nullptr;
  return context;
}

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

// `devices=2,total=1048576`
Settings parse(const std::string& text) {
  Settings settings;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    const std::string name = item.substr(0, item.find('='));
    const std::string value = item.substr(item.find('=') + 1);
    const long long number = std::atoll(value.c_str());
    if (name == "devices") settings.devices = int(number);
    if (name == "total") settings.total_bytes = size_t(number);
    if (name == "version") settings.version = int(number);
    if (name == "capability") settings.major = int(number / 10), settings.minor = int(number % 10);
    if (name == "records") settings.records = number != 0;
    if (name == "records_overlap") settings.records_overlap = number != 0;
    if (name == "page") settings.page_bytes = size_t(number);
    if (name == "code") settings.code = int(number);
    if (name == "missing") settings.missing = value;
    if (name == "fail_at") settings.fail_at = number;
    if (name == "seed") settings.seed = uint64_t(number);
    if (name == "fail_with") settings.fail_with = int(number);
  }
  return settings;
}

}  // namespace

namespace {

void apply(const Settings& settings) {
  state().settings = settings;
  emulator::set_seed(settings.seed);
  state().calls.clear();
  state().left_behind = false;
  state().graph_launches = state().launches = 0;
  state().overlapping_launches = 0;
  state().misuses.clear();
  state().failure.clear();
}

}  // namespace

void configure(const Settings& settings) {
  const Lock lock(state().mutex);
  apply(settings);
  state().configured = true;
}

std::vector<const char*> calls() {
  const Lock lock(state().mutex);
  return state().calls;
}

int64_t graph_launches() {
  const Lock lock(state().mutex);
  return state().graph_launches;
}

int64_t launches() {
  const Lock lock(state().mutex);
  return state().launches;
}

int64_t overlapping_launches() {
  const Lock lock(state().mutex);
  return state().overlapping_launches;
}

std::vector<std::string> misuses() {
  const Lock lock(state().mutex);
  return state().misuses;
}

Held held() {
  State& s = state();
  const Lock lock(s.mutex);
  Held held;
  held.contexts = int64_t(s.contexts.size());
  held.streams = int64_t(s.streams.size());
  held.graphs = int64_t(s.graphs.size() + s.execs.size());
  for (const auto& [data, block] : s.blocks) {
    (block.pinned ? held.pinned_buffers : held.device_buffers)++;
    if (!block.pinned) held.device_bytes += s.taken(block.bytes);
  }
  return held;
}

void enqueue(CUstream_st& stream, Work work) {
  state().launches++;
  stream.queue.push_back(std::move(work));
}

cuda::Result drain(CUstream_st& stream) {
  State& s = state();
  CUctx_st& context = *stream.context;
  const std::vector<Work> queue = std::exchange(stream.queue, {});
  if (context.lost || queue.empty()) return context.lost;
  expose(&context, true);
  try {
    for (const Work& work : queue) work.run();
    emulator::synchronise();
  } catch (const std::exception& error) {
    emulator::reset();
    s.failure = error.what();
    context.lost = 719;
  }
  expose(&context, false);
  return context.lost;
}

cuda::Result drain_all(CUctx_st& context) {
  for (CUstream_st* stream : state().streams)
    if (stream->context == &context && !stream->capturing)
      if (const cuda::Result result = drain(*stream)) return result;
  return 0;
}

}  // namespace exl::fake

namespace exl::cuda {

const char* const kKind = "emulator";
const char* const kBuild = "the CUDA kernels, emulated on the CPU";

// What native/cuda/driver.cpp does where there is a driver.
const Driver* find_driver(std::string& reason) {
  fake::State& s = fake::state();
  const fake::Lock lock(s.mutex);
  const char* text = std::getenv("EXL_FAKE_DRIVER");
  const std::string wanted = text ? text : "";
  if (!s.configured && wanted != s.environment) {
    s.environment = wanted;
    fake::apply(fake::parse(wanted));
  }
  reason = s.settings.missing;
  return reason.empty() ? &fake::driver() : nullptr;
}

}  // namespace exl::cuda
