// A driver that fails: every call of a whole story, with every error there is.
#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "cpu/backend.h"
#include "library/library.h"
#include "test/check.h"
#include "test/fake_driver/fake.h"
#include "test/small_model.h"

extern "C" const ExlBackendApi* exl_backend(void);

namespace exl::test {

namespace {

// Of cuda.h, but for success.
constexpr int kErrors[] = {
    1,   2,   3,   4,   5,   6,   7,   8,   34,  36,  46,  100, 101, 102, 200, 201, 202,
    205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219, 220, 221,
    222, 223, 224, 225, 226, 300, 301, 302, 303, 304, 400, 401, 402, 500, 600, 700, 701,
    702, 703, 704, 705, 708, 709, 710, 711, 712, 713, 714, 715, 716, 717, 718, 719, 720,
    721, 800, 801, 802, 803, 804, 805, 806, 807, 808, 809, 810, 811, 812, 900, 901, 902,
    903, 904, 905, 906, 907, 908, 909, 910, 911, 912, 913, 914, 915, 916, 999};

struct Outcome {
  std::vector<int32_t> ids;
  bool lost = false;
  std::vector<std::string> said;  // errors and notices
};

// Opens, loads, compiles, and steps until steps are replayed. What fails is tried once more.
Outcome story() {
  Outcome outcome;
  const auto attempt = [&](const std::function<void()>& run) {
    if (outcome.lost) return;
    try {
      run();
    } catch (const Error& error) {
      outcome.said.push_back(error.what());
      outcome.lost = error.code == Code::DeviceLost;
      const Code codes[] = {Code::OutOfMemory, Code::Internal, Code::DeviceLost,
                            Code::DeviceUnavailable};
      check(std::count(std::begin(codes), std::end(codes), error.code) == 1,
            "an error of a known kind, not " + std::string(code_name(error.code)));
      if (!outcome.lost) run();
    }
  };
  const auto ledger = std::make_shared<Ledger>();
  {
    std::shared_ptr<Backend> backend;
    attempt([&] { backend = open_backend(check_library(exl_backend(), "linked in"), 0); });
    if (backend) {
      backend->notices().take();
      SmallModel model(backend, ledger);
      attempt([&] { model.load(); });
      attempt([&] { model.compile(); });
      attempt([&] { outcome.ids = model.step({3, 1, 4, 1, 5}, 1, 0); });
      attempt([&] { model.share_page(); });
      std::vector<int32_t> next;
      if (!outcome.lost) next = {outcome.ids[0], outcome.ids[0]};
      for (int32_t at = 5; at < 9; at++)
        attempt([&] {
          next = model.step(next, 2, at);
          outcome.ids.insert(outcome.ids.end(), next.begin(), next.end());
        });
      for (const std::string& notice : backend->notices().take()) outcome.said.push_back(notice);
    }
  }
  const LedgerTotals totals = ledger->totals();
  check(totals.buffers == 0 && totals.allocated == 0 && totals.reserved == 0,
        "the ledger is empty");
  const fake::Held held = fake::held();
  check(held.contexts == 0 && held.streams == 0 && held.graphs == 0 && held.device_buffers == 0 &&
            held.pinned_buffers == 0,
        "the driver holds nothing");
  for (const std::string& misuse : fake::misuses()) check(false, misuse);
  return outcome;
}

// Those after which something is given back, come what may: nobody has to be told.
bool may_be_silent(const std::string& call) {
  for (const char* part : {"Free", "Destroy", "Release", "cuCtxPush"})
    if (call.find(part) != std::string::npos) return true;
  return false;
}

std::string without_version(const std::string& call) {
  return call.ends_with("_v2") ? call.substr(0, call.size() - 3) : call;
}

}  // namespace

// An error of a known kind that names the call, nothing left behind, and the same ids once what
// failed is tried again.
void faults(bool all) {
  fake::configure({.major = 9, .code = 90});
  const Outcome expected = story();
  check(expected.said.empty() && !expected.ids.empty(), "a story without a failure");
  const std::vector<const char*> calls = fake::calls();

  std::mt19937 random(1);
  const auto some_error = [&] { return kErrors[random() % std::size(kErrors)]; };
  std::set<std::pair<int64_t, int>> cases;
  std::map<std::string, std::vector<int64_t>> sites;
  for (size_t i = 0; i < calls.size(); i++) {
    sites[calls[i]].push_back(int64_t(i) + 1);
    cases.insert({int64_t(i) + 1, i % 3 == 0 ? 2 : i % 3 == 1 ? 700 : some_error()});
  }
  // Each error at each function of the driver, at one of its calls.
  for (const auto& [name, places] : sites)
    for (const int error : kErrors)
      if (all || random() % 16 == 0) cases.insert({places[random() % places.size()], error});

  int told = 0, lost = 0;
  for (const auto& [at, error] : cases) {
    const std::string call = calls[size_t(at) - 1];
    set_context(call + ", call " + std::to_string(at) + ", fails with " + std::to_string(error));
    fake::configure({.major = 9, .code = 90, .fail_at = at, .fail_with = error});
    const Outcome found = story();
    if (!found.lost) check(found.ids == expected.ids, "the ids are the same");
    check(!found.said.empty() || may_be_silent(call), "the failure is not swallowed");
    const bool no_gpu = call == "cuInit" && error == 100;
    if (!found.said.empty() && !no_gpu && !may_be_silent(call)) {
      const std::string& first = found.said[0];
      check(first.find(without_version(call)) != std::string::npos, "it names the call: " + first);
    }
    told += !found.said.empty();
    lost += found.lost;
  }
  set_context("");
  std::printf("%zu failures of %zu calls of the driver, %d told of, %d lost the device\n",
              cases.size(), calls.size(), told, lost);
}

}  // namespace exl::test
