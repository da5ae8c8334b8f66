// Drawing for all outputs of a step.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "sampling/sampler.h"

namespace exl {

// Outputs that follow each other and have the same sampler are one group: the places of one text
// whose next token is wanted, in order. After the first, each place is there because a draft
// guessed the token before it. If the token drawn for one place is not the guess, the places after
// it are not drawn. With guidance each place is two outputs: of the text, and of the text that the
// logits are pushed away from.
struct DrawStep {
  std::span<const std::shared_ptr<Sampler>> samplers;  // of each output
  const int32_t* tokens;                               // of each row
  const int32_t* outputs;                              // the row of each output
  int32_t* ids;                                        // drawn for each output
};

// Index of the first output of each group.
std::vector<size_t> draw_groups(const DrawStep& step);

// Gives the logits of an output. Each is asked for once at most, in order.
struct DrawLogits {
  std::function<float*(size_t output)> all;                 // which are changed
  std::function<Largest(size_t output)> largest = nullptr;  // null: they are not known
};

// Draws for the group that starts at `first`.
void draw_group(const DrawStep& step, size_t first, int64_t vocabulary, std::byte* scratch,
                const DrawLogits& logits);

}  // namespace exl
