// The emulator is only worth what it catches: kernels with a mistake each, which it must see.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "cuda/device.cuh"
#include "cuda/launch.cuh"
#include "cuda/ptx/bits.cuh"
#include "cuda/ptx/cp_async.cuh"
#include "cuda/ptx/ldmatrix.cuh"
#include "cuda/ptx/mma.cuh"
#include "test/emulator/test.h"

namespace exl::test {

namespace {

using namespace exl::cuda;

constexpr int kThreads = 64;

template <typename Params>
void run(void (*kernel)(Params), dim3 grid, dim3 block, size_t shared_bytes, Params params) {
  launch(kernel, grid, block, shared_bytes, nullptr, params);
  emulator::synchronise();
}

struct Reverse {
  const int* x;
  int* y;
  bool with_barrier;
};

void reverse(Reverse a) {
  ptx::begin();
  int* shared = ptx::dynamic_shared<int>();
  shared[threadIdx.x] = a.x[threadIdx.x];
  if (a.with_barrier) __syncthreads();  // the mirror image is another thread's
  a.y[threadIdx.x] = shared[kThreads - 1 - threadIdx.x];
}

bool reverses(bool with_barrier) {
  std::vector<int> x(kThreads), y(kThreads);
  for (int i = 0; i < kThreads; i++) x[size_t(i)] = i;
  run(reverse, 1, kThreads, kThreads * sizeof(int), {x.data(), y.data(), with_barrier});
  return std::equal(x.rbegin(), x.rend(), y.begin());
}

struct Nothing {};

void half_at_barrier(Nothing) {
  ptx::begin();
  if (threadIdx.x < 32) __syncthreads();  // the mistake
}

void two_barriers(Nothing) {
  ptx::begin();
  if (threadIdx.x < 32)
    __syncthreads();  // the mistake: not the same barrier
  else
    __syncthreads();
}

void half_at_shuffle(Nothing) {
  ptx::begin();
  if (threadIdx.x % 2) warp_sum(1);  // the mistake
}

void never_awaits(Nothing) {
  if (threadIdx.x % 2) ptx::begin();  // the mistake: not all
}

void beyond_the_end(Nothing) {
  ptx::begin();
  ptx::dynamic_shared<volatile int>()[threadIdx.x + 1] = 1;  // the mistake: one too far
}

struct Copied {
  const uint4* x;
  uint4* y;
  bool waits, has_barrier;
};

// Every thread copies its own 16 bytes and reads those of its neighbour.
void copied(Copied a) {
  ptx::begin();
  auto* shared = ptx::dynamic_shared<uint4>();
  ptx::cp_async_16(&shared[threadIdx.x], &a.x[threadIdx.x]);
  ptx::cp_async_commit();
  if (a.waits) ptx::cp_async_wait<0>();
  if (a.has_barrier) __syncthreads();  // the neighbour's copy has arrived
  a.y[threadIdx.x] = shared[threadIdx.x ^ 1];
  ptx::cp_async_wait<0>();
}

bool copies(bool waits, bool has_barrier) {
  std::vector<uint4> x(kThreads), y(kThreads);
  for (uint32_t i = 0; i < kThreads; i++) x[i] = {i, i + 1, i + 2, i + 3};
  run(copied, 1, kThreads, kThreads * 16, {x.data(), y.data(), waits, has_barrier});
  bool right = true;
  for (uint32_t i = 0; i < kThreads; i++)
    right = right && y[i].x == (i ^ 1) && y[i].w == (i ^ 1) + 3;
  return right;
}

void never_waits(Copied a) {
  ptx::begin();
  ptx::cp_async_16(ptx::dynamic_shared<uint4>() + threadIdx.x, a.x);
  ptx::cp_async_commit();
}

// One stage, used four times: a fast thread must not overwrite what a slow one still reads.
void early_overwrite(Copied a) {
  ptx::begin();
  auto* shared = ptx::dynamic_shared<uint4>();
  for (int step = 0; step < 4; step++) {
    ptx::cp_async_16(&shared[threadIdx.x], &a.x[step * kThreads + threadIdx.x]);
    ptx::cp_async_commit();
    ptx::cp_async_wait<0>();
    __syncthreads();  // all copies have arrived
    a.y[step * kThreads + threadIdx.x] = shared[threadIdx.x ^ 1];
    if (a.has_barrier) __syncthreads();  // all have read: the stage may be overwritten
  }
}

bool overwrites(bool has_barrier) {
  std::vector<uint4> x(4 * kThreads), y(4 * kThreads);
  for (uint32_t i = 0; i < x.size(); i++) x[i] = {i, i, i, i};
  run(early_overwrite, 1, kThreads, kThreads * 16, {x.data(), y.data(), true, has_barrier});
  bool right = true;
  for (uint32_t i = 0; i < x.size(); i++) right = right && y[i].x == (i ^ 1);
  return right;
}

struct Sums {
  float* y;
};

// Twice in a row, so that a slow warp may still read the first when a fast one writes the second.
void two_sums(Sums a) {
  ptx::begin();
  const float first = block_sum<256>(float(threadIdx.x));
  const float second = block_sum<256>(1);
  if (first + second != 255 * 128 + 256)
    a.y[threadIdx.x] = NAN;
  else if (a.y[threadIdx.x] == 0)
    a.y[threadIdx.x] = first + second;
}

void sums() {
  std::vector<float> y(256);
  run(two_sums, 8, 256, 0, {y.data()});
  bool right = true;
  for (const float sum : y) right = right && sum == 255 * 128 + 256;
  check(right, "two sums over a block in a row");
}

struct Product {
  const half *a, *b;
  const float* c;
  float* d;
};

// Fragments as the PTX ISA defines them, element by element: rows and columns of element i.
void product(Product p) {
  ptx::begin();
  const int lane = int(threadIdx.x), group = lane >> 2, in_group = lane & 3;
  half a[8], b[4];
  float d[4];
  for (int i = 0; i < 8; i++) {
    const int row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
    const int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
    a[i] = p.a[row * 16 + column];
  }
  for (int i = 0; i < 4; i++) b[i] = p.b[(in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0)) * 8 + group];
  for (int i = 0; i < 4; i++) d[i] = p.c[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)];
  uint32_t a_words[4], b_words[2];
  std::memcpy(a_words, a, sizeof a);
  std::memcpy(b_words, b, sizeof b);
  ptx::mma_16x8x16(d, a_words, b_words);
  for (int i = 0; i < 4; i++) p.d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)] = d[i];
}

// The same product with B fetched by ldmatrix from row-major shared memory.
void product_by_ldmatrix(Product p) {
  ptx::begin();
  auto* shared = ptx::dynamic_shared<half>();
  const int lane = int(threadIdx.x);
  for (int i = lane; i < 16 * 8; i += 32) shared[i] = p.b[i];
  for (int i = lane; i < 16 * 8; i += 32) shared[128 + i] = __float2half_rn(0);
  __syncthreads();  // B is complete
  uint32_t b[4];
  ptx::ldmatrix_transposed_x4(b, shared + lane * 8);
  half a[8];
  for (int i = 0; i < 8; i++)
    a[i] = p.a[((i & 2) ? lane / 4 + 8 : lane / 4) * 16 + lane % 4 * 2 + (i & 1) + (i & 4) * 2];
  uint32_t a_words[4];
  std::memcpy(a_words, a, sizeof a);
  float d[4] = {};
  ptx::mma_16x8x16(d, a_words, {b[0], b[1]});
  for (int i = 0; i < 4; i++) p.d[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}

void tensor_core() {
  Random random(3);
  const auto a = random.halves(256), b = random.halves(128);
  const auto c = random.floats(128);
  auto d = unset_floats(128), e = unset_floats(128);
  run(product, 1, 32, 0, {a.data(), b.data(), c.data(), d.data()});
  run(product_by_ldmatrix, 1, 32, 512, {a.data(), b.data(), nullptr, e.data()});
  std::vector<double> with(128), without(128);
  for (size_t m = 0; m < 16; m++)
    for (size_t n = 0; n < 8; n++) {
      for (size_t k = 0; k < 16; k++)
        without[m * 8 + n] += value(a[m * 16 + k]) * value(b[k * 8 + n]);
      with[m * 8 + n] = without[m * 8 + n] + value(c[m * 8 + n]);
    }
  // One rounding to float.
  compare(d, with, [&](size_t i) { return std::abs(with[i]) * kFloatUlp; }, "mma");
  compare(e, without, [&](size_t i) { return std::abs(without[i]) * kFloatUlp; }, "ldmatrix");
}

void halves() {
  bool exact = true;
  for (uint32_t bits = 0; bits < 0x7c00; bits++) {
    const half h = __ushort_as_half(uint16_t(bits));
    const float x = __half2float(h), next = __half2float(__ushort_as_half(uint16_t(bits + 1)));
    exact = exact && __half_as_ushort(__float2half_rn(x)) == bits;
    // A tie goes to the even neighbour.
    if (bits + 1 < 0x7c00)
      exact = exact && __half_as_ushort(__float2half_rn((x + next) / 2)) == (bits + 1) / 2 * 2;
  }
  check(exact, "halves convert exactly and round to nearest even");
  check(ptx::and_or(0xff00ff00u, 0x0ff00ff0u, 3) == 0x0f000f03u, "and_or");
}

// What AddressSanitizer finds ends the program, so a child of ours makes the mistake.
void out_of_bounds() {
#ifdef __SANITIZE_ADDRESS__
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr)) _exit(0);
    run(beyond_the_end, 1, kThreads, kThreads * sizeof(int), {});
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  check(status != 0, "an access beyond shared memory is found");
#else
  (void)beyond_the_end;
#endif
}

}  // namespace

void self_test() {
  check(reverses(true), "a barrier makes shared memory visible");
  check(!reverses(false), "a missing barrier is seen");
  check_fails([] { run(half_at_barrier, 1, kThreads, 0, {}); },
              "self_test.cpp:", "threads that end before a barrier are reported");
  check_fails([] { run(half_at_barrier, 1, kThreads, 0, {}); }, "32 have ended",
              "threads that end before a barrier are counted");
  check_fails([] { run(two_barriers, 1, kThreads, 0, {}); }, "another at",
              "two barriers for one are reported");
  check_fails([] { run(half_at_shuffle, 1, kThreads, 0, {}); }, "wait for their warp",
              "a shuffle by half a warp is reported");
  check(copies(true, true), "an asynchronous copy arrives when waited for");
  check(!copies(false, true), "a missing wait is seen");
  check(!copies(true, false), "a missing barrier after a wait is seen");
  check(overwrites(true), "a stage is read before it is overwritten");
  check(!overwrites(false), "a stage that is overwritten too early is seen");
  check_fails(
      [] {
        std::vector<uint4> x(1);
        run(never_waits, 1, kThreads, kThreads * 16, {x.data(), nullptr, false, false});
      },
      "never waited", "copies that nobody waits for are reported");
  check_fails([] { run(never_awaits, 1, kThreads, 0, {}); }, "the launch before",
              "a thread that does not wait for the launch before is reported");
  sums();
  tensor_core();
  halves();
  out_of_bounds();
}

}  // namespace exl::test
