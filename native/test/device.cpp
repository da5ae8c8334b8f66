// A backend in a library, over the fake driver, against the CPU backend; and how it says no.
#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "cpu/backend.h"
#include "library/library.h"
#include "test/check.h"
#include "test/fake_driver/fake.h"
#include "test/small_model.h"

extern "C" const ExlBackendApi* exl_backend(void);

namespace exl::test {

namespace {

std::shared_ptr<const Library> library() { return check_library(exl_backend(), "linked in"); }

std::vector<int32_t> story(std::shared_ptr<Backend> backend, std::shared_ptr<Ledger> ledger) {
  SmallModel model(std::move(backend), std::move(ledger));
  model.load(true);
  model.compile();
  std::vector<int32_t> ids = model.step({3, 1, 4, 1, 5}, 1, 0);
  model.share_page();
  std::vector<int32_t> next = {ids[0], ids[0]}, all = ids;
  for (int32_t at = 5; at < 12; at++) {
    next = model.step(next, 2, at);
    all.insert(all.end(), next.begin(), next.end());
  }
  return all;
}

void expect_nothing_held(const Ledger& ledger, const std::string& when) {
  const LedgerTotals totals = ledger.totals();
  check(totals.buffers == 0 && totals.allocated == 0 && totals.reserved == 0,
        "the ledger is empty " + when);
  const fake::Held held = fake::held();
  check(held.contexts == 0 && held.streams == 0 && held.graphs == 0 && held.device_buffers == 0 &&
            held.pinned_buffers == 0,
        "the driver holds nothing " + when);
  for (const std::string& misuse : fake::misuses()) check(false, misuse + " " + when);
}

Error error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code::Internal, "no error");
}

void expect_error(const std::function<void()>& run, Code code, const std::string& part) {
  const Error error = error_of(run);
  check(error.code == code && std::string(error.what()).find(part) != std::string::npos,
        "expected " + std::string(code_name(code)) + " with '" + part + "', got " +
            code_name(error.code) + ": " + error.what());
}

void agrees_with_the_cpu() {
  const auto ledger = std::make_shared<Ledger>(), host = std::make_shared<Ledger>();
  fake::configure({});
  const std::vector<int32_t> expected = story(cpu::make_backend(), host);
  const std::vector<int32_t> found = story(open_backend(library(), 0), ledger);
  check(found == expected, "a device draws the ids the CPU draws");
  // Seven steps of two rows: the first is launched, the second recorded.
  check(fake::graph_launches() == 6, "steps of a size that came before are replayed");
  expect_nothing_held(*ledger, "after a story");
}

// What a device puts together gives the bits that the recorded ops give.
void lowering_changes_nothing(bool layer_norm) {
  const auto ledger = std::make_shared<Ledger>();
  fake::configure({});
  std::vector<std::byte> logits[2];
  std::vector<int32_t> ids[2];
  int64_t launches[2];
  for (const bool lowered : {false, true}) {
    SmallModel model(open_backend(library(), 0), ledger, true);
    model.load();
    model.compile(lowered, layer_norm);
    const int64_t before = fake::launches();
    // Few rows, more than a block takes as a whole, and many; each once more, for its graph.
    int32_t at = 0;
    for (const int32_t rows : {2, 2, 12, 12, 20, 20}) {
      std::vector<int32_t> tokens;
      for (int32_t i = 0; i < rows; i++) tokens.push_back(i * 7 % 40);
      const std::vector<int32_t> drawn = model.step(tokens, 2, at);
      at += rows / 2;
      ids[lowered].insert(ids[lowered].end(), drawn.begin(), drawn.end());
      logits[lowered].insert(logits[lowered].end(), model.logits().begin(), model.logits().end());
    }
    launches[lowered] = fake::launches() - before;
  }
  check(ids[0] == ids[1], "a lowered program draws the same ids");
  check(logits[0] == logits[1] && !logits[0].empty(), "a lowered program has the same logits");
  check(launches[1] < launches[0], "a lowered program launches less");
  expect_nothing_held(*ledger, "after a lowered program");
}

// While it is open, the ledger and the driver agree to the byte.
void ledger_is_exact() {
  const auto ledger = std::make_shared<Ledger>();
  fake::configure({});
  {
    const std::shared_ptr<Backend> backend = open_backend(library(), 0);
    SmallModel model(backend, ledger);
    model.load();
    model.compile();
    model.step({3, 1, 4}, 1, 0);
    uint64_t pinned = 0;
    for (const LedgerEntry& entry : ledger->entries())
      if (entry.kind == Kind::Staging && entry.label != "slots") pinned += entry.bytes;
    uint64_t slots = 0;
    for (const LedgerEntry& entry : ledger->entries())
      if (entry.label == "slots") slots += entry.bytes / 2 + entry.bytes % 2;
    const LedgerTotals totals = ledger->totals();
    check(fake::held().device_bytes == totals.allocated - pinned - slots,
          "the ledger has every byte of device memory");
    check(fake::held().device_buffers + fake::held().pinned_buffers == int64_t(totals.buffers),
          "the ledger has every buffer");
  }
  expect_nothing_held(*ledger, "after an open model");
}

void says_no() {
  const auto open = [](int index) { return [index] { open_backend(library(), index); }; };
  fake::configure({.devices = 2});
  check(list_devices(*library()).size() == 2, "all devices are listed");
  expect_error(open(2), Code::DeviceUnavailable, "there is no emulator:2: this machine has 2");
  expect_error(open(-1), Code::DeviceUnavailable, "there is no emulator:-1");
  fake::configure({.devices = 0});
  expect_error(open(0), Code::DeviceUnavailable, "finds no GPU");
  fake::configure({.version = 11080});
  expect_error(open(0), Code::DeviceUnavailable,
               "too old: it supports CUDA 11.8, this build needs 12.4");
  fake::configure({.missing = "there is no NVIDIA driver"});
  expect_error(open(0), Code::DeviceUnavailable, "there is no NVIDIA driver");
  expect_error([] { list_devices(*library()); }, Code::DeviceUnavailable, "no NVIDIA driver");
  fake::configure({.major = 6, .minor = 1});
  expect_error(open(0), Code::DeviceUnavailable, "compute capability is 6.1");
  const ExlDeviceInfo old = list_devices(*library()).at(0);
  check(!old.usable && std::string(old.reason).find("Turing") != std::string::npos,
        "a GPU that is too old is listed, with the reason");

  ExlBackendApi other = *exl_backend();
  other.abi++;
  expect_error([&] { check_library(&other, "other"); }, Code::DeviceUnavailable, "same release");
  check(!find_libraries("/nowhere/libexl_cuda.so").at(0).reason.empty(),
        "a library that is not there is explained");
}

void runs_out_of_memory() {
  const auto ledger = std::make_shared<Ledger>();
  fake::configure({.total_bytes = 300'000});
  {
    const std::shared_ptr<Backend> backend = open_backend(library(), 0);
    const Allocator allocate{ledger, "owner", backend->memory()};
    const BufferPtr first = allocate(200'000, Kind::Weights, "first");
    const Error error = error_of([&] { allocate(200'000, Kind::Cache, "second"); });
    const std::string text = error.what();
    check(error.code == Code::OutOfMemory && error.where == "second", "out of memory is typed");
    for (const char* part :
         {"0.1 MiB free of 0.3 MiB", "0.2 MiB were asked for", "for cache", "fewer cache tokens"})
      check(text.find(part) != std::string::npos, "out of memory says: " + std::string(part));
    check(ledger->totals().buffers == 1, "a refused allocation is not on the ledger");
    allocate(50'000, Kind::Cache, "third");  // still usable
  }
  expect_nothing_held(*ledger, "after running out of memory");
}

void is_lost() {
  const auto ledger = std::make_shared<Ledger>();
  fake::configure({});
  {
    SmallModel model(open_backend(library(), 0), ledger);
    model.load();
    model.compile();
    model.step({1, 2, 3}, 1, 0);
    fake::configure({.fail_at = 7, .fail_with = 700});
    const Error first = error_of([&] { model.step({1}, 1, 3); });
    const Error later = error_of([&] { model.step({1}, 1, 3); });
    const std::string text = later.what(), cause = "FAKE_ERROR_700";
    check(first.code == Code::DeviceLost && later.code == Code::DeviceLost,
          "a lost device stays lost");
    check(std::string(first.what()).find(cause) != std::string::npos &&
              text.find(cause) != std::string::npos &&
              text.find("restart the process") < text.size(),
          "a lost device quotes the first cause: " + text);
  }
  expect_nothing_held(*ledger, "after a device was lost");
  fake::configure({});
  story(open_backend(library(), 0), ledger);  // does not throw
  expect_nothing_held(*ledger, "after it was opened again");
}

// Said when a program is compiled, with the sizes, and not when a kernel is launched.
void needs_no_more_shared_memory_than_there_is() {
  const auto ledger = std::make_shared<Ledger>();
  fake::configure({.block_shared_bytes = 20'000});
  expect_error([&] { story(open_backend(library(), 0), ledger); }, Code::UnsupportedOp,
               "bytes of shared memory, where a block may have 20000");
  expect_nothing_held(*ledger, "after too little shared memory");
}

// What a driver refuses to record is launched, and said once.
void goes_on_without_recordings() {
  const auto host = std::make_shared<Ledger>();
  const std::vector<int32_t> expected = story(cpu::make_backend(), host);
  const auto expect = [&](const fake::Settings& settings, int64_t replays, size_t notices) {
    fake::configure(settings);
    const auto ledger = std::make_shared<Ledger>();
    std::vector<std::string> said;
    {
      const std::shared_ptr<Backend> backend = open_backend(library(), 0);
      backend->notices().take();
      check(story(backend, ledger) == expected, "the ids are the same without recordings");
      said = backend->notices().take();
    }
    check(fake::graph_launches() == replays, std::to_string(fake::graph_launches()) +
                                                 " steps were replayed, expected " +
                                                 std::to_string(replays));
    check(said.size() == notices,
          std::to_string(said.size()) + " notices, expected " + std::to_string(notices));
    for (const std::string& text : said)
      check(text.find("a step could not be recorded") == 0 &&
                text.find("cudaLaunchKernelExC failed") != std::string::npos,
            "a notice says what failed: " + text);
    expect_nothing_held(*ledger, "after steps that could not be recorded");
  };
  expect({.major = 9, .code = 90}, 6, 0);
  expect({.major = 9, .code = 90, .records_overlap = false}, 5, 1);
  expect({.records = false}, 0, 2);
  setenv("EXL_CUDA_GRAPHS", "0", 1);
  expect({.records = false}, 0, 0);
  unsetenv("EXL_CUDA_GRAPHS");
}

}  // namespace

void device() {
  agrees_with_the_cpu();
  for (const bool layer_norm : {false, true}) lowering_changes_nothing(layer_norm);
  ledger_is_exact();
  says_no();
  runs_out_of_memory();
  is_lost();
  needs_no_more_shared_memory_than_there_is();
  goes_on_without_recordings();
}

}  // namespace exl::test
