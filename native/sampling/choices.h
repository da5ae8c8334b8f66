// Texts out of a list.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sampling/filter.h"

namespace exl {

// The text is one of those given, and nothing more; or, if it is `open`, begins with one of them.
class Choices final : public Filter {
 public:
  // Throws InvalidArgument for no text, an empty one, and one that no tokens spell.
  Choices(std::shared_ptr<const Vocabulary> vocabulary, const std::vector<std::string>& texts,
          bool open);

  bool allows_all() const override { return open_ && may_end(); }
  bool may_end() const override { return at() != kNowhere && ends(at()); }
  void allow(Trie::Node from, TokenMask& mask) const override;
  void advance(std::string_view text) override;
  void rewind(size_t draws) override;

 private:
  static constexpr Trie::Node kNowhere = ~Trie::Node(0);

  Trie::Node at() const { return states_.back(); }
  bool ends(Trie::Node node) const { return !choices_.texts_at(node).empty(); }
  // Calls found(node, ids) with the tokens below `from` that lead from `state` to a node.
  template <typename Found>
  void each_step(Trie::Node state, Trie::Node from, const Found& found) const;

  // By node: whether tokens spell the text so far.
  std::vector<bool> reachable() const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  Trie choices_;
  bool open_;
  std::vector<bool> leads_;  // whether tokens spell the rest of a choice from this node on
  std::vector<Trie::Node> states_{Trie::kRoot};  // before the first draw, and after each
};

}  // namespace exl
