// Runs every kernel of native/cuda on the CPU and compares it with a plain loop in double
// precision.
//
//   exl_emulator_test [--full] [--seeds N] [suite...]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test/emulator/emulator.h"
#include "test/emulator/test.h"

namespace exl::test {

void sample_test();
void adversary_test();
void self_test();
void attention_test();
void cache_test();
void elementwise_test();
void half_linear_test();
void quant_linear_test();
void norm_test();
void rope_test();

namespace {

struct Suite {
  const char* name;
  void (*run)();
};
constexpr Suite kSuites[] = {
    {"self", self_test},
    {"adversary", adversary_test},
    {"norm", norm_test},
    {"elementwise", elementwise_test},
    {"rope", rope_test},
    {"cache", cache_test},
    {"attention", attention_test},
    {"half_linear", half_linear_test},
    {"quant_linear", quant_linear_test},
    {"sample", sample_test},
};

int passed = 0, failed = 0;

}  // namespace

bool full = false;

void check(bool holds, const std::string& what) {
  holds ? passed++ : failed++;
  if (!holds) std::printf("FAILED: %s\n", what.c_str());
}

void check_fails(const std::function<void()>& body, const std::string& part,
                 const std::string& what) {
  std::string message = "nothing";
  try {
    body();
  } catch (const emulator::Error& error) {
    message = error.what();
  }
  check(message.find(part) != std::string::npos, what + ": " + message);
}

void compare(const std::vector<double>& actual, const std::vector<double>& expected,
             const std::function<double(size_t)>& tolerance, const std::string& what) {
  size_t worst = 0;
  double worst_ratio = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    const double error = std::abs(actual[i] - expected[i]);
    const double ratio = error == 0 ? 0 : error / tolerance(i);
    if (ratio > worst_ratio || std::isnan(ratio)) {
      worst = i;
      worst_ratio = std::isnan(ratio) ? INFINITY : ratio;
    }
  }
  if (actual.size() != expected.size() || worst_ratio > 1)
    std::printf("  element %zu of %zu is %.9g, not %.9g within %.3g\n", worst, expected.size(),
                actual[worst], expected[worst], tolerance(worst));
  check(actual.size() == expected.size() && worst_ratio <= 1, what);
}

}  // namespace exl::test

int main(int count, char** arguments) {
  using namespace exl::test;
  std::vector<std::string> wanted;
  uint64_t seeds = 2;
  for (int i = 1; i < count; i++) {
    if (std::strcmp(arguments[i], "--full") == 0)
      full = true;
    else if (std::strcmp(arguments[i], "--seeds") == 0 && i + 1 < count)
      seeds = std::strtoull(arguments[++i], nullptr, 10);
    else
      wanted.push_back(arguments[i]);
  }
  for (const Suite& suite : kSuites) {
    bool run = wanted.empty();
    for (const std::string& name : wanted) run = run || name == suite.name;
    if (!run) continue;
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t seed = 1; seed <= seeds; seed++) {
      emulator::set_seed(seed);
      emulator::set_block_shared_limit(64 << 10);
      try {
        suite.run();
      } catch (const emulator::Error& error) {
        check(false, std::string(suite.name) + ": " + error.what());
      }
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%-18s %6.2f s\n", suite.name, seconds);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
