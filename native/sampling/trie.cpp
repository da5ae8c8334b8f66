#include "sampling/trie.h"

#include <algorithm>
#include <tuple>

namespace exl {

namespace {

// The first bytes as a number that compares as they do, so that most comparisons need no text.
uint64_t leading(std::string_view text) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; i++) value = value << 8 | (i < text.size() ? uint8_t(text[i]) : 0);
  return value;
}

}  // namespace

Trie::Trie(std::span<const std::string_view> texts) {
  std::vector<std::pair<uint64_t, int32_t>> sorted;
  for (size_t i = 0; i < texts.size(); i++)
    if (!texts[i].empty()) sorted.emplace_back(leading(texts[i]), int32_t(i));
  std::sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return std::tie(texts[size_t(a.second)], a.second) <
           std::tie(texts[size_t(b.second)], b.second);
  });

  std::vector<Node> path{kRoot};  // from the root to where the last text ends
  const auto close = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) ends_[path.back()] = size();
  };
  const auto open = [&](uint8_t byte) {
    path.push_back(size());
    bytes_.push_back(byte);
    ends_.push_back(0);
    first_.push_back(uint32_t(order_.size()));
  };
  bytes_.push_back(0), ends_.push_back(0), first_.push_back(0);
  std::string_view last;
  for (const auto& [key, index] : sorted) {
    const std::string_view text = texts[size_t(index)];
    const auto differs = std::mismatch(text.begin(), text.end(), last.begin(), last.end()).first;
    const size_t shared = size_t(differs - text.begin());
    close(shared);
    for (size_t i = shared; i < text.size(); i++) open(uint8_t(text[i]));
    order_.push_back(index);
    last = text;
  }
  close(0);
  ends_[kRoot] = size();
  first_.push_back(uint32_t(order_.size()));
}

Trie::Node Trie::child(Node node, uint8_t byte) const {
  for (Node at = node + 1; at < ends_[node] && bytes_[at] <= byte; at = ends_[at])
    if (bytes_[at] == byte) return at;
  return kRoot;
}

}  // namespace exl
