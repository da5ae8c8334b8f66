// What the tests of kernels share: random inputs, comparison with a tolerance per element,
// counting.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace exl::test {

inline constexpr double kHalfUlp = 0x1p-11;   // relative rounding of a half
inline constexpr double kHalfTiny = 0x1p-25;  // rounding of a half among the subnormals
inline constexpr double kFloatUlp = 0x1p-24;

// Set by --full: larger shapes and more seeds.
extern bool full;

void check(bool holds, const std::string& what);

// Runs `body`, which must throw emulator::Error with `part` in its message.
void check_fails(const std::function<void()>& body, const std::string& part,
                 const std::string& what);

class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}
  uint32_t word() { return uint32_t(bits_()); }
  int below(int bound) { return int(bits_() % uint64_t(bound)); }
  float normal() { return float(normal_(bits_)); }

  std::vector<half> halves(size_t count, float scale = 1) {
    std::vector<half> v(count);
    for (half& x : v) x = __float2half_rn(normal() * scale);
    return v;
  }
  std::vector<float> floats(size_t count, float scale = 1) {
    std::vector<float> v(count);
    for (float& x : v) x = normal() * scale;
    return v;
  }
  std::vector<uint32_t> words(size_t count) {
    std::vector<uint32_t> v(count);
    for (uint32_t& x : v) x = word();
    return v;
  }

 private:
  std::mt19937_64 bits_;
  std::normal_distribution<double> normal_;
};

// Outputs start as NaN, so that an element nobody wrote is seen.
inline std::vector<half> unset_halves(size_t count) {
  return std::vector<half>(count, __ushort_as_half(0xffff));
}
inline std::vector<float> unset_floats(size_t count) { return std::vector<float>(count, NAN); }

inline double value(half x) { return double(__half2float(x)); }
inline double value(float x) { return double(x); }

template <typename T>
std::vector<double> values(const std::vector<T>& from) {
  std::vector<double> v(from.size());
  for (size_t i = 0; i < v.size(); i++) v[i] = value(from[i]);
  return v;
}

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Lets a launch write `x`, which is garbage until then: whoever is launched next has to wait for
// it.
template <typename T>
void arrive_late(const std::vector<T>& x) {
  if (x.empty()) return;
  // The elements of a vector are not const, whatever the vector is.
  auto* to = const_cast<T*>(x.data());
  const auto written = std::make_shared<const std::vector<T>>(x);
  std::memset(static_cast<void*>(to), 0xff, x.size() * sizeof(T));
  emulator::launch({.block = {32}, .kernel = [to, written] {
                      emulator::await_last_launch();
                      if (emulator::builtins().thread.x == 0)
                        std::memcpy(static_cast<void*>(to), written->data(),
                                    written->size() * sizeof(T));
                    }});
}

// Runs launches on inputs, each another, that launches before them write; all are done when it
// returns.
template <typename... T>
void emulate(const std::function<void()>& launches, const std::vector<T>&... inputs) {
  std::set<const void*> distinct;
  if (!((inputs.empty() || distinct.insert(inputs.data()).second) && ...))
    check(false, "an input that is named twice");
  (arrive_late(inputs), ...);
  launches();
  emulator::synchronise();
}

// Every element within its tolerance. A failure prints the worst one with its place and both
// values.
void compare(const std::vector<double>& actual, const std::vector<double>& expected,
             const std::function<double(size_t)>& tolerance, const std::string& what);

template <typename T>
void compare(const std::vector<T>& actual, const std::vector<double>& expected,
             const std::function<double(size_t)>& tolerance, const std::string& what) {
  compare(values(actual), expected, tolerance, what);
}

}  // namespace exl::test
