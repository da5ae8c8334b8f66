// Faults that are silent in a kernel run alone, one after another, and on many GPUs: reading before
// the launch before is done, changing what a copy still reads, asking for more than a device has.
#include "cuda/device.cuh"
#include "cuda/launch.cuh"
#include "cuda/ptx/cp_async.cuh"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

using namespace exl::cuda;

constexpr int kThreads = 64;
constexpr int kSeeds = 20;

// Of the seeds, those for which `body` gave what it should.
int right_of(const std::function<bool()>& body) {
  int right = 0;
  for (uint64_t seed = 1; seed <= kSeeds; seed++) {
    emulator::set_seed(seed);
    right += body();
  }
  return right;
}

struct Chain {
  const int* x;
  int* y;
  bool is_late;  // reads after it has waited, as it should
};

// y = x + 1
void next(Chain a) {
  int read = a.x[threadIdx.x];  // the mistake, unless it is read again
  ptx::begin();
  if (a.is_late) read = a.x[threadIdx.x];
  a.y[threadIdx.x] = read + 1;
}

// Whether the last of three launches reads what the one before it wrote, or the one before that.
bool chain_is_right(int back, bool is_late) {
  std::vector<int> x[3], y(kThreads);
  for (auto& buffer : x) buffer.assign(kThreads, 0);
  launch(next, 1, kThreads, 0, nullptr, {x[0].data(), x[1].data(), true});
  launch(next, 1, kThreads, 0, nullptr, {x[1].data(), x[2].data(), true});
  launch(next, 1, kThreads, 0, nullptr, {x[3 - back].data(), y.data(), is_late});
  emulator::synchronise();
  return y == std::vector<int>(kThreads, 4 - back);
}

void launches() {
  for (const int back : {1, 2}) {
    const std::string what = " what was written " + std::to_string(back) + " launches before";
    check(right_of([&] { return chain_is_right(back, true); }) == kSeeds, "waits for" + what);
    // The one before always runs afterwards, one further back for some seeds.
    const int right = right_of([&] { return chain_is_right(back, false); });
    check(back == 1 ? right == 0 : right < kSeeds, "is caught reading too early" + what);
  }
}

struct Copies {
  uint4* x;
  uint4* y;
  bool waits;
};

// Each thread copies its own source and then overwrites it.
void overwrites_source(Copies a) {
  ptx::begin();
  auto* shared = ptx::dynamic_shared<uint4>();
  ptx::cp_async_16(&shared[threadIdx.x], &a.x[threadIdx.x]);
  ptx::cp_async_commit();
  if (a.waits) ptx::cp_async_wait<0>();
  a.x[threadIdx.x] = {};  // the mistake, unless the copy has arrived
  ptx::cp_async_wait<0>();
  a.y[threadIdx.x] = shared[threadIdx.x];
}

// Each thread writes the source just before it waits: a copy that was issued earlier may miss it.
void writes_source_late(Copies a) {
  ptx::begin();
  auto* shared = ptx::dynamic_shared<uint4>();
  if (a.waits) a.x[threadIdx.x].x = 1;
  ptx::cp_async_16(&shared[threadIdx.x], &a.x[threadIdx.x]);
  ptx::cp_async_commit();
  a.x[threadIdx.x].x = 1;  // the mistake, unless it was written before
  ptx::cp_async_wait<0>();
  a.y[threadIdx.x] = shared[threadIdx.x];
}

bool copies_are_right(void (*kernel)(Copies), bool waits) {
  std::vector<uint4> x(kThreads, {1, 2, 3, 4}), y(kThreads);
  if (kernel == writes_source_late) x.assign(kThreads, {0, 2, 3, 4});
  launch(kernel, 1, kThreads, kThreads * 16, nullptr, {x.data(), y.data(), waits});
  emulator::synchronise();
  bool right = true;
  for (const uint4& v : y) right = right && v.x == 1 && v.y == 2 && v.z == 3 && v.w == 4;
  return right;
}

void copies() {
  for (const auto kernel : {overwrites_source, writes_source_late}) {
    const std::string what = kernel == overwrites_source ? "late" : "early";
    check(right_of([&] { return copies_are_right(kernel, true); }) == kSeeds,
          "a copy may read its source " + what);
    check(right_of([&] { return copies_are_right(kernel, false); }) == 0,
          "a source that changes under copies that read it " + what + " is seen");
  }
}

struct Nothing {};
void nothing(Nothing) { ptx::begin(); }

struct Large {
  unsigned char bytes[4096 + 1];
};
void takes_much(Large) { ptx::begin(); }

struct Kilobyte {
  int of[256];
};
void has_static_memory(Nothing) {
  ptx::begin();
  ptx::static_shared<Kilobyte>().of[threadIdx.x] = 1;
}

struct Half {
  int of[12 << 10];
};
void has_much_static_memory(Nothing) {
  ptx::begin();
  ptx::static_shared<Half>().of[threadIdx.x] = 1;
  ptx::static_shared<Kilobyte>().of[threadIdx.x] = 1;
}

template <typename Params>
std::string refusal(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes) {
  try {
    launch(kernel, grid, block, shared_bytes, nullptr, Params{});
    emulator::synchronise();
  } catch (const emulator::Error& error) {
    return error.what();
  }
  return {};
}

void limits() {
  constexpr size_t kTuring = 64 << 10;
  emulator::set_block_shared_limit(kTuring);
  const auto contains = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  check(refusal(nothing, 1, 32, kTuring).empty(), "a block may have all shared memory");
  check(contains(refusal(nothing, 1, 32, kTuring + 1), "65537 bytes of shared memory"),
        "a block may not have more shared memory than the device");
  check(refusal(has_static_memory, 1, 32, kTuring - 1024).empty(),
        "static and dynamic memory may fill a block");
  check(contains(refusal(has_static_memory, 1, 32, kTuring - 1023), "static and dynamic"),
        "static and dynamic memory may not exceed a block");
  emulator::set_block_shared_limit(kTuring + 1024);
  check(refusal(has_static_memory, 1, 32, kTuring).empty(), "another device may allow more");
  check(contains(refusal(has_much_static_memory, 1, 32, 0), "48 KB"),
        "static memory has a limit of its own");
  emulator::set_block_shared_limit(kTuring);

  check(refusal(nothing, dim3(2, 3, 4), dim3(32, 2, 2), 0).empty(), "grids have three dimensions");
  for (const dim3 grid : {dim3(1, 65536), dim3(1, 1, 65536), dim3(1u << 31), dim3(0)})
    check(contains(refusal(nothing, grid, 32, 0), "in a grid"), "a grid has limits");
  for (const dim3 block : {dim3(1056), dim3(1, 1, 65), dim3(0)})
    check(contains(refusal(nothing, 1, block, 0), "a launch of blocks"), "a block has limits");
  check(contains(refusal(takes_much, 1, 32, 0), "4097 bytes of parameters"),
        "parameters have a limit");
}

// A failure leaves nothing behind that a later launch would run into.
void after_a_failure() {
  std::vector<int> x(kThreads, 1), y(kThreads);
  launch(next, 1, kThreads, 0, nullptr, {x.data(), y.data(), true});
  check(!refusal(nothing, 0, 32, 0).empty(), "a launch after another fails");
  emulator::synchronise();
  check(y == std::vector<int>(kThreads), "what was launched before a failure is dropped");
}

}  // namespace

void adversary_test() {
  launches();
  copies();
  limits();
  after_a_failure();
}

}  // namespace exl::test
