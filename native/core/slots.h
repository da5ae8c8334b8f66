// Slots hold everything that differs from one step to the next, at addresses that never change.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "memory/buffer.h"

namespace exl {

class Sampler;

enum class Slot {
  Tokens,     // [rows] ids to embed
  Positions,  // [rows] place of each row in its sequence, from 0
  Sequences,  // [rows] row of the page table
  Pages,      // [sequences, pages per sequence] cache pages
  Outputs,    // [outputs] rows whose logits are wanted
  Targets,    // [outputs] ids whose probability is wanted
  Samplers,   // [outputs] samplers, held by pointer
};
inline constexpr int kSlotCount = 7;
inline constexpr std::array<std::string_view, kSlotCount> kSlotNames = {
    "tokens", "positions", "sequences", "pages", "outputs", "targets", "samplers"};

inline Slot slot_named(std::string_view name) {
  for (int i = 0; i < kSlotCount; i++)
    if (kSlotNames[size_t(i)] == name) return Slot(i);
  throw Error(Code::InvalidArgument, "there is no slot named " + std::string(name));
}

// The values of one step, as the caller hands them over.
struct SlotValues {
  std::array<std::vector<int32_t>, kSlotCount> ints;
  std::vector<std::shared_ptr<Sampler>> samplers;

  const std::vector<int32_t>& operator[](Slot slot) const { return ints[size_t(slot)]; }
};

}  // namespace exl
