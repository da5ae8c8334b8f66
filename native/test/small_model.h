// A decoder of one layer with random weights, over any backend: what every step of a real one
// needs, in little.
#pragma once

#include <memory>
#include <vector>

#include "core/program.h"

namespace exl::test {

class SmallModel {
 public:
  // With `all`, also what makes more calls of a driver than a test of each can bear: quantised
  // projections, and a vocabulary of which a device picks the largest logits.
  SmallModel(std::shared_ptr<Backend> backend, std::shared_ptr<Ledger> ledger, bool all = false);

  // Each may throw, and may then be called again. A long table is loaded in several pieces.
  void load(bool long_table = false);
  void compile(bool lowered = true, bool layer_norm = false);

  // Greedy ids, one per sequence: rows [first, first + count) of each sequence are this step's.
  std::vector<int32_t> step(const std::vector<int32_t>& tokens, int32_t sequences, int32_t first);
  // Makes the second sequence continue as the first one did.
  void share_page();

  // Of the last step, as they are in memory.
  const std::vector<std::byte>& logits() const { return logits_; }

  static constexpr int64_t kMostSequences = 2;

 private:
  std::shared_ptr<const Weight> weight(const WeightSource& source, const std::string& label);

  std::shared_ptr<Backend> backend_;
  std::shared_ptr<Ledger> ledger_;
  Allocator allocate_;
  bool all_;
  int64_t vocabulary_;
  std::vector<std::shared_ptr<const Weight>> weights_;
  std::shared_ptr<Cache> cache_;
  std::unique_ptr<Program> program_;
  std::vector<std::byte> logits_;
};

}  // namespace exl::test
