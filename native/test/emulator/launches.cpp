// Launches, and which of them have begun when: see emulator.h.
#include <algorithm>
#include <list>

#include "test/emulator/block.h"

namespace emulator {

namespace {

// Stacks cost memory; on a GPU no more than some blocks fit either.
constexpr size_t kEarlyThreads = 2048;
constexpr size_t kMostEarlyLaunches = 3;
constexpr size_t kMostParameterBytes = 4096;

std::mt19937_64 bits(1);
size_t shared_limit = 64 << 10;

struct Begun {
  Launch launch;
  std::vector<size_t> order;  // of blocks
  std::vector<std::unique_ptr<Block>> early;
};
// The oldest first; at an address that its blocks can keep.
std::list<Begun> begun;

size_t threads_of(Index block) { return size_t(block.x) * block.y * block.z; }

// What the driver refuses on every device.
std::string objection(const Launch& launch) {
  const auto& [grid, block, shared_bytes, parameter_bytes, kernel] = launch;
  const std::string of = "a launch of blocks " + text(block) + " in a grid " + text(grid);
  const size_t count = threads_of(block);
  if (count == 0 || count > 1024 || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    return of;
  if (count % 32) return "a block of " + std::to_string(count) + " threads: not whole warps";
  if (shared_bytes > shared_limit)
    return of + " with " + std::to_string(shared_bytes) + " bytes of shared memory, where " +
           std::to_string(shared_limit) + " are allowed";
  if (parameter_bytes > kMostParameterBytes)
    return of + " with " + std::to_string(parameter_bytes) + " bytes of parameters, where " +
           std::to_string(kMostParameterBytes) + " are allowed";
  return {};
}

std::unique_ptr<Block> block_of(const Begun& of, size_t i) {
  return std::make_unique<Block>(of.launch, delinearise(of.order[i], of.launch.grid));
}

void finish_oldest() {
  Begun& oldest = begun.front();
  for (auto& block : oldest.early) {
    block->finish();
    block.reset();
  }
  for (size_t i = oldest.early.size(); i < oldest.order.size(); i++) block_of(oldest, i)->finish();
  begun.pop_front();
}

void begin(Launch launch) {
  const Index grid = launch.grid;
  const size_t blocks = size_t(grid.x) * grid.y * grid.z;
  const size_t most = std::max<size_t>(1, kEarlyThreads / threads_of(launch.block));
  Begun& last = begun.emplace_back(Begun{std::move(launch), {}, {}});
  for (size_t i = 0; i < blocks; i++) last.order.push_back(i);
  std::shuffle(last.order.begin(), last.order.end(), bits);
  const size_t early = 1 + bits() % std::min(blocks, most);
  for (size_t i = 0; i < early; i++) {
    last.early.push_back(block_of(last, i));
    last.early.back()->run_early();
  }
}

void dropping_all(const std::function<void()>& body) {
  try {
    body();
  } catch (...) {
    reset();
    throw;
  }
}

}  // namespace

std::mt19937_64& random_bits() { return bits; }
size_t block_shared_limit() { return shared_limit; }

void set_seed(uint64_t seed) { bits.seed(seed); }
void set_block_shared_limit(size_t bytes) { shared_limit = bytes; }

void reset() { begun.clear(); }

void launch(Launch launch) {
  dropping_all([&] {
    if (const std::string why = objection(launch); !why.empty()) throw Error(why);
    begin(std::move(launch));
    for (const size_t most = 1 + bits() % kMostEarlyLaunches; begun.size() > most;) finish_oldest();
  });
}

void synchronise() {
  dropping_all([] {
    while (!begun.empty()) finish_oldest();
  });
}

}  // namespace emulator
