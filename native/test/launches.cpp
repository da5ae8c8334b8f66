// What a launch says to the driver: of shared memory, of overlap, and to which context.
#include <cstdlib>
#include <functional>
#include <memory>

#include "base/error.h"
#include "cuda/device.h"
#include "cuda/list.h"
#include "test/check.h"
#include "test/fake_driver/fake.h"

namespace exl::test {

namespace {

using cuda::Device;

// Stand for kernels.
char few, many;

void launch(Device& device, cuda::Function kernel, size_t shared_bytes) {
  std::function<void()> nothing = [] {};
  void* arguments[] = {&nothing};
  device.run("an op", [&] {
    cuda::launch_function(
        {kernel, {1, 1, 1}, {32, 1, 1}, shared_bytes, device.stream(), arguments});
  });
}

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return std::string(code_name(error.code)) + ": " + error.what();
  }
  return "no error";
}

void expect_error(const std::function<void()>& run, std::initializer_list<const char*> parts) {
  const std::string error = error_of(run);
  for (const char* part : parts)
    check(error.find(part) != std::string::npos,
          "expected an error with '" + std::string(part) + "', got " + error);
}

void expect_no_misuse(const std::string& when) {
  for (const std::string& misuse : fake::misuses()) check(false, misuse + " " + when);
}

// The device is a Hopper in all cases.
int64_t overlapping(int code) {
  fake::configure({.major = 9, .code = code});
  Device device(fake::driver(), 0);
  launch(device, &few, 0);
  launch(device, &many, 0);
  launch(device, &few, 0);
  device.synchronize();
  expect_no_misuse("with code of " + std::to_string(code));
  return fake::overlapping_launches();
}

void overlap_is_a_matter_of_the_code() {
  check(overlapping(80) == 0, "code that cannot wait does not overlap on a device that could");
  check(overlapping(90) == 3, "code that can wait overlaps");
  check(overlapping(120) == 3, "newer code overlaps, too");
  setenv("EXL_CUDA_OVERLAP", "0", 1);
  check(overlapping(90) == 0, "EXL_CUDA_OVERLAP=0 switches overlap off");
  unsetenv("EXL_CUDA_OVERLAP");
}

// A recorded launch needs as much as it was recorded with, whatever came after it.
void limits_are_never_lowered() {
  fake::configure({});
  for (int time = 0; time < 2; time++) {  // the second in a new context, which knows of nothing
    Device device(fake::driver(), 0);
    launch(device, &few, 60'000);
    device.capture_begin(true);
    launch(device, &few, 60'000);
    launch(device, &few, 50'000);
    launch(device, &many, 100);
    const cuda::GraphExec graph = device.capture_end();
    launch(device, &few, 50'000);
    device.launch(graph);
    device.synchronize();
    device.free(graph);
    expect_error([&] { launch(device, &few, 64 * 1024 + 1); },
                 {"EXL_INTERNAL", "cudaLaunchKernelExC failed"});
    launch(device, &few, 64 * 1024);
  }
  check(fake::held().contexts == 0, "a context goes with the last device on it");
  expect_no_misuse("after launches of several sizes");
}

void code_is_asked_for_when_a_device_is_opened() {
  fake::configure({.code = 0});
  expect_error([] { Device(fake::driver(), 0); }, {"EXL_DEVICE_UNAVAILABLE", cuda::kBuild,
                                                   "cudaFuncGetAttributes", "use a build for"});
  check(fake::held().contexts == 0 && fake::held().streams == 0,
        "a refused device leaves nothing behind");
}

// Others of the process may be there first, and may stay longer.
void the_context_is_shared() {
  fake::configure({});
  auto first = std::make_unique<Device>(fake::driver(), 0);
  Device second(fake::driver(), 0);
  check(fake::held().contexts == 1, "a GPU has one context in a process");
  size_t reserved = 0;
  void* memory = second.allocate(false, 100, &reserved);
  first.reset();
  launch(second, &few, 0);
  second.synchronize();
  check(fake::held().contexts == 1 && fake::held().streams == 2,
        "a device that is closed takes nothing of another");
  second.free(false, memory);
  expect_no_misuse("with two devices on one GPU");
}

void a_sticky_error_names_what_was_started() {
  fake::configure({});
  Device device(fake::driver(), 0);
  launch(device, &few, 0);
  std::function<void()> faulty = [] { throw std::runtime_error("an illegal address"); };
  void* arguments[] = {&faulty};
  device.run("model.layers.3.mlp", [&] {
    cuda::launch_function({&few, {1, 1, 1}, {32, 1, 1}, 0, device.stream(), arguments});
  });
  expect_error([&] { device.synchronize(); },
               {"EXL_DEVICE_LOST", "cuStreamSynchronize", "model.layers.3.mlp",
                "an illegal address", "restart the process"});
  expect_error([&] { launch(device, &few, 0); },
               {"EXL_DEVICE_LOST", "model.layers.3.mlp", "restart the process"});
}

}  // namespace

void launches() {
  overlap_is_a_matter_of_the_code();
  limits_are_never_lowered();
  code_is_asked_for_when_a_device_is_opened();
  the_context_is_shared();
  a_sticky_error_names_what_was_started();
}

}  // namespace exl::test
