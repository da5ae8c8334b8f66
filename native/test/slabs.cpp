// Device memory in slabs, against a driver that takes whole pages.
#include <random>

#include "library/library.h"
#include "library/slabs.h"
#include "memory/buffer.h"
#include "test/check.h"
#include "test/fake_driver/fake.h"

extern "C" const ExlBackendApi* exl_backend(void);

namespace exl::test {

namespace {

constexpr size_t kScale = 32;  // everything is so many times smaller
constexpr size_t kPage = (size_t(2) << 20) / kScale;

std::shared_ptr<Backend> open() {
  return open_backend(check_library(exl_backend(), "linked in"), 0);
}

// What a model of 4-bit matrices takes: codes, scales, places and order of each, norms, the
// embedding.
std::vector<size_t> sizes_of(size_t hidden, size_t wide, size_t keys, size_t layers,
                             size_t vocabulary, size_t bits) {
  std::vector<size_t> sizes{vocabulary * hidden * 2};
  const auto matrix = [&](size_t in, size_t out) {
    for (const size_t bytes : {in * out * bits / 8, in / 128 * out * 2, in / 32 * 4, in * 2})
      sizes.push_back(bytes);
  };
  for (size_t i = 0; i < layers; i++) {
    for (const size_t out : {hidden, keys, keys, hidden}) matrix(hidden, out);
    for (int k = 0; k < 2; k++) sizes.push_back(hidden * 2), matrix(hidden, wide);
    matrix(wide, hidden);
  }
  matrix(hidden, vocabulary);
  for (size_t& bytes : sizes) bytes = std::max<size_t>(bytes / kScale, 1);
  return sizes;
}

bool within_2_percent(uint64_t a, uint64_t b) {
  return std::max(a, b) - std::min(a, b) <= std::max(a, b) / 50;
}

// The ledger knows what the driver took, and no more than a little of it is for nothing.
void ledger_and_driver_agree() {
  const struct {
    const char* name;
    std::vector<size_t> sizes;
  } models[] = {
      {"1B, 4 bits", sizes_of(2048, 8192, 512, 16, 128256, 4)},
      {"1B, 5 bits", sizes_of(2048, 8192, 512, 16, 128256, 5)},
      {"4B, 4 bits", sizes_of(2560, 9728, 1024, 36, 151936, 4)},
      {"8B, 3 bits", sizes_of(4096, 14336, 1024, 32, 128256, 3)},
      {"8B, 5 bits", sizes_of(4096, 14336, 1024, 32, 128256, 5)},
  };
  for (const auto& [name, sizes] : models) {
    fake::configure({.page_bytes = kPage});
    const auto ledger = std::make_shared<Ledger>();
    const std::shared_ptr<Backend> backend = open();
    const Allocator allocate{ledger, "model", backend->memory()};
    std::vector<BufferPtr> buffers;
    for (const size_t bytes : sizes) buffers.push_back(allocate(bytes, Kind::Weights, "a weight"));
    const uint64_t taken = fake::held().device_bytes;
    const LedgerTotals totals = ledger->totals();
    const std::string of = std::string(" of a model of ") + name;
    check(totals.reserved == taken, "the ledger has what the driver took" + of);
    check(within_2_percent(totals.allocated, taken),
          "what is used is within 2 % of what was taken" + of + ": " +
              std::to_string(double(taken) / double(totals.allocated)));
    check(fake::held().device_buffers < int64_t(sizes.size()) / 4, "allocations are few" + of);
    buffers.clear();
    check(fake::held().device_bytes == 0 && ledger->totals().reserved == 0,
          "all goes back at once" + of);
  }
}

// In any order, and never over each other: owners are apart, so that one goes back while others
// stay.
void owners_come_and_go() {
  fake::configure({.page_bytes = kPage});
  const auto ledger = std::make_shared<Ledger>();
  const std::shared_ptr<Backend> backend = open();
  std::mt19937 random(5);
  std::map<std::string, std::vector<BufferPtr>> live;
  bool apart = true, agreed = true;
  for (int i = 0; i < 400; i++) {
    const std::string owner = "owner " + std::to_string(random() % 4);
    const Allocator allocate{ledger, owner, backend->memory()};
    std::vector<BufferPtr>& mine = live[owner];
    const Kind kind = random() % 2 ? Kind::Weights : Kind::Cache;
    if (random() % 20 == 0)
      mine.clear();
    else if (random() % 4 == 0 && !mine.empty())
      mine.erase(mine.begin() + long(random() % mine.size()));
    else
      mine.push_back(allocate(1 + random() % (3 * kPage), kind, "some"));
    std::map<std::byte*, size_t> places;
    for (const auto& [name, list] : live)
      for (const BufferPtr& buffer : list) places[buffer->data()] = buffer->size();
    const std::byte* end = nullptr;
    for (const auto& [data, bytes] : places) {
      apart = apart && data >= end;
      end = data + bytes;
    }
    agreed = agreed && ledger->totals().reserved == fake::held().device_bytes;
  }
  check(apart, "buffers do not overlap");
  check(agreed, "the ledger has what the driver took at any time");
  live.clear();
  check(fake::held().device_bytes == 0, "nothing is left");
}

// A slab that has room for more is no reason to refuse.
void takes_what_there_is() {
  fake::configure({.total_bytes = 101 * kPage, .page_bytes = kPage});
  const auto ledger = std::make_shared<Ledger>();
  const std::shared_ptr<Backend> backend = open();
  const Allocator allocate{ledger, "owner", backend->memory()};
  std::vector<BufferPtr> buffers{allocate(97 * kPage, Kind::Weights, "most")};
  check(slab_bytes(kPage / 2 + 1, 97 * kPage, kPage) > kPage, "there would be room for more");
  for (int i = 0; i < 4; i++) buffers.push_back(allocate(kPage - 1, Kind::Weights, "the rest"));
  bool refused = false;
  try {
    allocate(kPage, Kind::Weights, "more");
  } catch (const Error& error) {
    refused = error.code == Code::OutOfMemory;
  }
  check(refused, "what does not fit is refused");
}

}  // namespace

void slabs() {
  ledger_and_driver_agree();
  owners_come_and_go();
  takes_what_there_is();
}

}  // namespace exl::test
