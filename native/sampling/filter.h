// Constrained generation: which tokens may come next, so that the text is one that is wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sampling/settings.h"
#include "sampling/vocabulary.h"

namespace exl {

// One bit per token id.
class TokenMask {
 public:
  // Allows nothing.
  explicit TokenMask(int64_t ids) : ids_(ids), words_((size_t(ids) + 63) / 64) {}

  // Ids beyond the mask are passed over.
  void allow(std::span<const int32_t> ids) {
    for (const int32_t id : ids)
      if (id >= 0 && id < ids_) words_[size_t(id) / 64] |= uint64_t(1) << id % 64;
  }
  void forbid(std::span<const int32_t> ids) {
    for (const int32_t id : ids)
      if (id >= 0 && id < ids_) words_[size_t(id) / 64] &= ~(uint64_t(1) << id % 64);
  }
  void intersect(const TokenMask& other) {
    for (size_t i = 0; i < words_.size(); i++) words_[i] &= other.words_[i];
  }

  // Gives `value` to what is not allowed; as many values as there are ids.
  void fill_others(float* values, float value) const;

 private:
  int64_t ids_;
  std::vector<uint64_t> words_;
};

// Texts that are wanted, read from left to right. A filter knows bytes and not ids, and remembers
// its state after each draw. To find the tokens that may come next, it goes down its own states and
// the trie of the vocabulary together; so can a grammar.
class Filter {
 public:
  virtual ~Filter() = default;

  // Whether all that can follow is wanted, and an end is too.
  virtual bool allows_all() const = 0;
  // Whether the text may end here.
  virtual bool may_end() const = 0;
  // Allows those tokens below `from` whose rest, after what leads to `from`, may come next.
  virtual void allow(Trie::Node from, TokenMask& mask) const = 0;
  // The text of one draw.
  virtual void advance(std::string_view text) = 0;
  // Forgets all draws but the first.
  virtual void rewind(size_t draws) = 0;
};

// The filters of one sampler. All have to allow what is drawn. Tokens that end the text are drawn
// where each of them may end, and nothing but those after one was.
class Filters {
 public:
  Filters() = default;
  // `healed` is a token of the prompt in whose place the first draw comes, or -1: what is drawn
  // then begins with its text, which filters do not see.
  Filters(std::shared_ptr<const Vocabulary> vocabulary,
          std::vector<std::unique_ptr<Filter>> filters, const std::vector<int32_t>& end_ids,
          int32_t healed);

  bool active() const { return !filters_.empty(); }
  // Gives `value` to ids that may not come next, of as many as there are values.
  void block(std::span<float> values, float value) const;
  void advance(int32_t id);
  void rewind(uint64_t draws);

 private:
  TokenMask allowed(const Filter& filter, int64_t ids) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::vector<std::unique_ptr<Filter>> filters_;
  std::vector<int32_t> end_ids_;
  std::string_view healed_;
  Trie::Node start_ = Trie::kRoot;  // what the first draw begins with
  uint64_t draws_ = 0;
  uint64_t text_draws_ = 0;  // those before the first that ended the text
};

}  // namespace exl
