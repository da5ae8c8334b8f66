// A backend in a library, over the fake driver, against the CPU backend; and how it says no.
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

}  // namespace

void device() {
  agrees_with_the_cpu();
  for (const bool layer_norm : {false, true}) lowering_changes_nothing(layer_norm);
  ledger_is_exact();
  says_no();
  runs_out_of_memory();
  is_lost();
}

// Whatever call of the driver fails, and however: an error of a known kind, nothing left behind,
// and the same ids once what failed is tried again.
void device_faults() {
  const auto host = std::make_shared<Ledger>();
  const std::vector<int32_t> expected = story(cpu::make_backend(), host);
  for (const int kind : {1, 2, 700}) {
    int64_t failures = 0;
    for (int64_t at = 1;; at++) {
      const std::string when =
          "when call " + std::to_string(at) + " fails with " + std::to_string(kind);
      fake::configure({.fail_at = at, .fail_with = kind});
      const auto ledger = std::make_shared<Ledger>();
      bool lost = false, failed_once = false;
      std::vector<int32_t> found;
      const auto attempt = [&](const std::function<void()>& run) {
        if (lost) return;
        try {
          run();
        } catch (const Error& error) {
          failed_once = true;
          const bool is_typed = error.code == Code::OutOfMemory || error.code == Code::Internal ||
                                error.code == Code::DeviceLost ||
                                error.code == Code::DeviceUnavailable;
          check(is_typed, std::string("an error of a known kind ") + when);
          lost = error.code == Code::DeviceLost;
          if (!lost) run();
        }
      };
      {
        std::shared_ptr<Backend> backend;
        attempt([&] { backend = open_backend(library(), 0); });
        if (backend) {
          SmallModel model(backend, ledger);
          attempt([&] { model.load(); });
          attempt([&] { model.compile(); });
          std::vector<int32_t> next;
          attempt([&] { found = model.step({3, 1, 4, 1, 5}, 1, 0); });
          attempt([&] { model.share_page(); });
          if (!lost) next = {found[0], found[0]};
          for (int32_t step = 5; step < 12; step++)
            attempt([&] {
              const std::vector<int32_t> drawn = model.step(next, 2, step);
              next = drawn;
              found.insert(found.end(), drawn.begin(), drawn.end());
            });
        }
      }
      expect_nothing_held(*ledger, when);
      if (!lost) check(found == expected, "the ids are the same " + when);
      if (fake::calls() < at) break;  // the story is shorter: nothing failed
      check(failed_once, "the failure is not swallowed " + when);
      failures++;
    }
    std::printf("%lld calls of the driver failed with %d\n", static_cast<long long>(failures),
                kind);
  }
}

}  // namespace exl::test
