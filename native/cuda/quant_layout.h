// Plans the layout of a quantised matrix from its groups, on the host, before it is repacked.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cuda/quant_weight.h"

namespace exl::cuda {

struct QuantLayout {
  std::vector<uint32_t> chunks;
  int64_t words_per_strip = 0;
  int max_bits = 0;
  std::string objection;  // why there is no layout, or nothing
};

// `groups` has a pair (bits, rows) for each group, in the order of their rows.
template <typename Groups>
QuantLayout plan_quant_layout(const Groups& groups) {
  QuantLayout layout;
  const auto refuse = [&](std::string why) {
    layout.objection = std::move(why);
    return layout;
  };
  int64_t row = 0, bits_before = 0;
  int group = 0;
  for (const auto& [bits, rows] : groups) {
    if (bits != 2 && bits != 3 && bits != 4 && bits != 5 && bits != 6 && bits != 8)
      return refuse("codes of " + std::to_string(bits) + " bits");
    if (row % kChunkInputs)
      return refuse("a group that starts at row " + std::to_string(row) + ", not a multiple of " +
                    std::to_string(kChunkInputs));
    if (row + rows > 65536) return refuse("more than 65536 inputs");
    for (int64_t first = row; first < row + rows; first += kChunkInputs) {
      layout.chunks.push_back(chunk_place(int(bits_before), group, bits));
      bits_before += bits;
    }
    row += rows;
    group++;
    layout.max_bits = std::max(layout.max_bits, int(bits));
  }
  if (row % 8) return refuse(std::to_string(row) + " inputs, not a multiple of 8");
  layout.words_per_strip = bits_before * kChunkInputs;
  return layout;
}

}  // namespace exl::cuda
