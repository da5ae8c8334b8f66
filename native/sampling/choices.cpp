#include "sampling/choices.h"

#include <algorithm>

#include "base/error.h"

namespace exl {

template <typename Found>
void Choices::each_step(Trie::Node state, Trie::Node from, const Found& found) const {
  const Trie& tokens = vocabulary_->trie();
  choices_.walk(state, from, [&](Trie::Node token, Trie::Node node) -> std::optional<Trie::Node> {
    const Trie::Node next = tokens.child(token, choices_.byte(node));
    if (next == Trie::kRoot) return std::nullopt;
    if (open_ && ends(node)) {
      found(node, tokens.texts_from(next));
      return std::nullopt;
    }
    const std::span<const int32_t> ids = tokens.texts_at(next);
    if (!ids.empty()) found(node, ids);
    return next;
  });
}

Choices::Choices(std::shared_ptr<const Vocabulary> vocabulary,
                 const std::vector<std::string>& texts, bool open)
    : vocabulary_(std::move(vocabulary)),
      choices_(std::vector<std::string_view>(texts.begin(), texts.end())),
      open_(open) {
  const auto fail = [](const std::string& why) {
    throw Error(Code::InvalidArgument, why, "filters");
  };
  if (texts.empty()) fail("a filter has no text to choose from");
  for (const std::string& text : texts)
    if (text.empty()) fail("a filter has an empty text");
  leads_.assign(choices_.size(), true);
  if (vocabulary_->has_every_byte()) return;

  // Tokens lead from a node to those with higher numbers.
  const std::vector<bool> reached = reachable();
  for (Trie::Node node = choices_.size(); node-- > 0;) {
    if (ends(node)) {
      const std::string& text = texts[size_t(choices_.texts_at(node)[0])];
      if (!reached[node]) fail("no tokens spell \"" + text.substr(0, 80) + "\"");
      continue;
    }
    bool leads = false;
    each_step(node, Trie::kRoot, [&](Trie::Node next, auto) { leads = leads || leads_[next]; });
    leads_[node] = leads;
  }
}

std::vector<bool> Choices::reachable() const {
  std::vector<bool> reached(choices_.size());
  reached[Trie::kRoot] = true;
  for (Trie::Node node = 0; node < choices_.size(); node++) {
    if (!reached[node]) continue;
    each_step(node, Trie::kRoot, [&](Trie::Node next, auto) {
      // An open text needs nothing of what would make it longer.
      const Trie::Node end = open_ && ends(next) ? choices_.end(next) : next + 1;
      std::fill(reached.begin() + next, reached.begin() + end, true);
    });
  }
  return reached;
}

void Choices::allow(Trie::Node from, TokenMask& mask) const {
  if (at() == kNowhere) return;
  each_step(at(), from, [&](Trie::Node node, std::span<const int32_t> ids) {
    if (leads_[node]) mask.allow(ids);
  });
}

void Choices::advance(std::string_view text) {
  Trie::Node node = at();
  for (const char byte : text) {
    if (node == kNowhere || (open_ && ends(node))) break;
    node = choices_.child(node, uint8_t(byte));
    if (node == Trie::kRoot) node = kNowhere;
  }
  states_.push_back(node);
}

void Choices::rewind(size_t draws) {
  if (draws + 1 < states_.size()) states_.resize(draws + 1);
}

}  // namespace exl
