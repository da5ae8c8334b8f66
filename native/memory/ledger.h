// The ledger of one device: every allocation is entered when it is made and struck when it is
// freed, so its sums are exact by construction.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace exl {

enum class Kind { Weights, Cache, Activations, Staging };
inline constexpr int kKindCount = 4;
const char* kind_name(Kind kind);

struct LedgerEntry {
  uint64_t id;
  Kind kind;
  std::string label;  // what it is: `model.layers.0.mlp.gate_proj`
  std::string owner;  // who disposes of it: `model#1 > cache`
  uint64_t bytes;     // asked for
  std::chrono::steady_clock::time_point since;
};

struct LedgerTotals {
  uint64_t allocated = 0;
  uint64_t reserved = 0;
  uint64_t peak = 0;  // highest `allocated` so far
  uint64_t by_kind[kKindCount] = {};
  uint64_t buffers = 0;
};

class Ledger {
 public:
  // `reserved` is what was taken from the system for it, and `returned` what went back with it:
  // where buffers share what was taken, the first takes it, and the last gives it back.
  uint64_t enter(Kind kind, std::string label, std::string owner, uint64_t bytes,
                 uint64_t reserved);
  void strike(uint64_t id, uint64_t returned);

  LedgerTotals totals() const;
  std::vector<LedgerEntry> entries() const;

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, LedgerEntry> entries_;
  LedgerTotals totals_;
  uint64_t next_ = 1;
};

}  // namespace exl
