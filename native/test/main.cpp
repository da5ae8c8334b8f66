// Native parts that threads share, and data structures that JavaScript cannot reach: run under
// ThreadSanitizer with `npm run test:tsan`.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/notices.h"
#include "core/engine.h"
#include "core/plan.h"
#include "cpu/backend.h"
#include "cpu/thread_pool.h"
#include "memory/buffer.h"
#include "test/check.h"

namespace exl::test {

int failed = 0, passed = 0;
std::string failing_context;

void set_context(const std::string& context) { failing_context = context; }

void check(bool holds, const std::string& what) {
  holds ? passed++ : failed++;
  if (!holds)
    std::printf("FAILED: %s%s%s\n", what.c_str(), failing_context.empty() ? "" : ": ",
                failing_context.c_str());
}

}  // namespace exl::test

namespace {

using namespace exl::test;

// Every task once, whatever the number of threads and tasks, jobs in quick succession.
void thread_pool() {
  exl::cpu::ThreadPool pool;
  bool once = true, in_range = true;
  std::mt19937 random(1);
  for (int job = 0; job < 4000; job++) {
    const int threads = 1 + int(random() % 5);
    const int64_t count = int64_t(random() % 40);
    pool.use(threads);
    std::vector<std::atomic<int>> runs(size_t(count) + 1);
    std::atomic<bool> valid{true};
    pool.parallel(count, [&](int64_t task, int thread) {
      runs[size_t(task)]++;
      if (thread < 0 || thread >= threads) valid = false;
    });
    for (int64_t i = 0; i < count; i++) once = once && runs[size_t(i)] == 1;
    in_range = in_range && valid;
  }
  check(once, "the pool runs every task exactly once");
  check(in_range, "the pool names threads below their number");
}

// What a task throws comes out of parallel(), when all the others have run; the pool goes on.
void thread_pool_failures() {
  exl::cpu::ThreadPool pool;
  bool thrown = true, all = true;
  for (int job = 0; job < 2000; job++) {
    pool.use(1 + job % 4);
    std::atomic<int> runs{0};
    const bool fails = job % 3 != 0;
    bool failed = false;
    try {
      pool.parallel(20, [&](int64_t task, int) {
        runs++;
        if (fails && task % 7 == 3) throw exl::Error(exl::Code::OutOfMemory, "task");
      });
    } catch (const exl::Error& error) {
      failed = error.code == exl::Code::OutOfMemory;
    }
    thrown = thrown && failed == fails;
    // Alone, a thread stops at the first that fails.
    all = all && (runs == 20 || (fails && pool.threads() == 1));
  }
  check(thrown, "the pool hands on what a task throws, once");
  check(all, "a task that fails keeps no other from running");
}

// Each once, whoever gives it, and to whoever takes it first.
void notices() {
  exl::Notices notices;
  check(notices.take().empty(), "there are no notices at first");
  std::vector<std::thread> givers;
  for (int i = 0; i < 4; i++)
    givers.emplace_back([&] {
      for (int k = 0; k < 50; k++) notices.add("notice " + std::to_string(k));
    });
  size_t taken = 0;
  for (int i = 0; i < 100; i++) taken += notices.take().size();
  for (std::thread& giver : givers) giver.join();
  taken += notices.take().size();
  check(taken == 50, "a notice is taken once, however often it is given");
  check(notices.take().empty(), "what was taken is gone");
}

// Commands of several posters run in the order each posted them; a stopped engine drops the rest.
void engine() {
  exl::Engine engine;
  std::vector<std::vector<int>> seen(4);
  std::vector<std::thread> posters;
  for (size_t p = 0; p < seen.size(); p++)
    posters.emplace_back([&, p] {
      for (int i = 0; i < 500; i++) engine.post([&, p, i] { seen[p].push_back(i); });
    });
  for (std::thread& poster : posters) poster.join();
  std::atomic<bool> drained{false};
  engine.post([&] { drained = true; });
  while (!drained) std::this_thread::yield();
  bool ordered = true;
  for (const auto& list : seen) {
    ordered = ordered && list.size() == 500;
    for (size_t i = 0; i < list.size(); i++) ordered = ordered && list[i] == int(i);
  }
  check(ordered, "the engine keeps the order of each poster");

  const auto owned = std::make_shared<int>(1);
  std::atomic<bool> started{false};
  engine.post([&] {
    started = true;
    while (!engine.stopping()) std::this_thread::yield();
  });
  for (int i = 0; i < 100; i++) engine.post([owned] { std::abort(); });
  while (!started) std::this_thread::yield();
  engine.stop();
  check(owned.use_count() == 1, "a stopped engine lets go of what it dropped");
  check(!engine.post([] {}), "a stopped engine takes nothing");
}

void ledger() {
  const auto ledger = std::make_shared<exl::Ledger>();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      const exl::Allocator allocate{ledger, "owner"};
      std::vector<exl::BufferPtr> live;
      std::mt19937 random(unsigned(t) + 1);
      for (int i = 0; i < 500; i++) {
        live.push_back(allocate(random() % 10000, exl::Kind(random() % 4), "test"));
        if (random() % 3 == 0) live.erase(live.begin());
        ledger->totals();
        if (i % 50 == 0) ledger->entries();
      }
    });
  for (std::thread& thread : threads) thread.join();
  const exl::LedgerTotals totals = ledger->totals();
  check(totals.allocated == 0 && totals.reserved == 0 && totals.buffers == 0,
        "the ledger returns to zero");
  check(totals.peak > 0, "the ledger remembers its peak");

  bool refused = false;
  try {
    exl::Buffer huge(ledger, size_t(1) << 62, exl::Kind::Weights, "huge", "owner");
  } catch (const exl::Error& error) {
    refused = error.code == exl::Code::OutOfMemory;
  }
  check(refused && ledger->totals().buffers == 0, "a refused allocation leaves no entry");
}

// Values that live at the same time never overlap, and the plan is not larger than giving each its
// own place.
void arena() {
  std::mt19937 random(7);
  bool disjoint = true, no_larger = true;
  for (int round = 0; round < 300; round++) {
    std::vector<exl::Lifetime> values;
    size_t sum = 0;
    for (int i = 0; i < 30; i++) {
      const size_t first = random() % 40;
      values.push_back({random() % 5000, first, first + random() % 10});
      sum += (values.back().bytes + 63) / 64 * 64;
    }
    const exl::ArenaPlan plan = exl::plan_arena(values);
    no_larger = no_larger && plan.bytes <= sum;
    for (size_t a = 0; a < values.size(); a++)
      for (size_t b = 0; b < a; b++) {
        if (values[a].last < values[b].first || values[b].last < values[a].first) continue;
        disjoint = disjoint && (plan.offsets[a] + values[a].bytes <= plan.offsets[b] ||
                                plan.offsets[b] + values[b].bytes <= plan.offsets[a]);
      }
  }
  check(disjoint, "values that live together do not overlap");
  check(no_larger, "the arena is no larger than the sum");
}

// A loader with several readers, and one that is refused.
void loader() {
  const auto ledger = std::make_shared<exl::Ledger>();
  const char* path = "node-exllama-loader-test.bin";
  std::vector<unsigned char> bytes(5'000'001);
  std::mt19937 random(3);
  for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
  std::FILE* file = std::fopen(path, "wb");
  std::fwrite(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  for (const exl::LoadMode mode :
       {exl::LoadMode::Direct, exl::LoadMode::Buffered, exl::LoadMode::Mapped}) {
    exl::Loader loader(mode, {ledger, "owner"});
    std::vector<unsigned char> copy(bytes.size() - 17);
    loader.read(path, 17, copy.data(), copy.size());
    check(std::equal(copy.begin(), copy.end(), bytes.begin() + 17), "a long read is exact");
    std::vector<unsigned char> strided(300 * 1000);
    loader.read(path, 5, strided.data(), 300, 1000, 4999);
    bool exact = true;
    for (size_t i = 0; i < strided.size(); i++)
      exact = exact && strided[i] == bytes[5 + i / 300 * 4999 + i % 300];
    check(exact, "a strided read is exact");
    bool refused = false;
    try {
      loader.read(path, bytes.size() - 10, copy.data(), 11);
    } catch (const exl::Error& error) {
      refused = error.code == exl::Code::FormatInvalid;
    }
    check(refused, "a read beyond the end is refused");
  }
  std::remove(path);
  check(ledger->totals().buffers == 0, "the loader gives its staging back");
}

// Every SIMD target agrees with the scalar one, but for rounding.
void targets() {
  using namespace exl::cpu;
  std::mt19937 random(11);
  const auto uniform = [&] { return float(random()) / float(UINT32_MAX) * 2 - 1; };
  const Target& plain = *usable_targets().back();
  for (const Target* target : usable_targets()) {
    bool rows_agree = true;
    for (const FloatType type : {FloatType::F32, FloatType::F16, FloatType::BF16}) {
      constexpr int64_t rows = 5, in = 83, out = 7;
      std::vector<float> x(rows * in), wide(in * out), y[2], up(rows * in), z[2];
      for (float& v : x) v = 4 * uniform();
      for (float& v : up) v = uniform();
      std::vector<uint16_t> narrow(in * out);
      for (size_t i = 0; i < narrow.size(); i++) {
        wide[i] = uniform();
        narrow[i] = uint16_t(0x2c00 + random() % 0x1000);
      }
      const void* weight = type == FloatType::F32 ? static_cast<const void*>(wide.data())
                                                  : static_cast<const void*>(narrow.data());
      int side = 0;
      for (const Target* t : {&plain, target}) {
        y[side].resize(rows * out);
        t->float_linear({type, weight, x.data(), nullptr, y[side].data(), rows, in, out}, 0, out);
        z[side].resize(rows * in);
        t->silu_mul(x.data(), up.data(), z[side].data(), rows * in);
        t->norm({z[side].data(), wide.data(), z[side].data(), in, 1, 1e-5f, 0}, 0, rows);
        side++;
      }
      for (size_t i = 0; i < y[0].size(); i++)
        rows_agree = rows_agree && std::abs(y[0][i] - y[1][i]) <= 1e-4f * (1 + std::abs(y[0][i]));
      for (size_t i = 0; i < z[0].size(); i++)
        rows_agree = rows_agree && std::abs(z[0][i] - z[1][i]) <= 1e-5f;
    }
    std::printf("target %s\n", target->name);
    check(rows_agree, "plain products, activations and norms agree");
  }
}

}  // namespace

int main([[maybe_unused]] int argc, [[maybe_unused]] char** argv) {
  targets();
  cache();
  quant_linear();
  ops();
  sampling();
  thread_pool();
  thread_pool_failures();
  notices();
  engine();
  ledger();
  arena();
  loader();
#ifdef EXL_TEST_EMULATOR
  launches();
  device();
  slabs();
  faults(argc > 1 && std::string(argv[1]) == "--full");
#endif
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
