#include "memory/ledger.h"

#include <algorithm>

namespace exl {

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::Weights:
      return "weights";
    case Kind::Cache:
      return "cache";
    case Kind::Activations:
      return "activations";
    case Kind::Staging:
      return "staging";
  }
  return "?";
}

uint64_t Ledger::enter(Kind kind, std::string label, std::string owner, uint64_t bytes,
                       uint64_t reserved) {
  const std::lock_guard lock(mutex_);
  const uint64_t id = next_++;
  entries_.emplace(id, LedgerEntry{id, kind, std::move(label), std::move(owner), bytes,
                                   std::chrono::steady_clock::now()});
  totals_.allocated += bytes;
  totals_.reserved += reserved;
  totals_.by_kind[int(kind)] += bytes;
  totals_.buffers++;
  totals_.peak = std::max(totals_.peak, totals_.allocated);
  return id;
}

void Ledger::strike(uint64_t id, uint64_t returned) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  const LedgerEntry& entry = found->second;
  totals_.allocated -= entry.bytes;
  totals_.reserved -= returned;
  totals_.by_kind[int(entry.kind)] -= entry.bytes;
  totals_.buffers--;
  entries_.erase(found);
}

LedgerTotals Ledger::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::vector<LedgerEntry> Ledger::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<LedgerEntry> all;
  for (const auto& [id, entry] : entries_) all.push_back(entry);
  return all;
}

}  // namespace exl
