// Texts as a tree of bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace exl {

// Each node is a beginning that the texts below it share; the root is the empty one. Nodes are
// numbered depth first, children in the order of their bytes, so all that is below a node follows
// it, and so do the texts.
class Trie {
 public:
  using Node = uint32_t;
  static constexpr Node kRoot = 0;

  // Empty texts are left out. Texts are known by their index.
  explicit Trie(std::span<const std::string_view> texts);

  // Nodes are 0 to size() - 1.
  Node size() const { return Node(bytes_.size()); }
  // The last byte of the beginning.
  uint8_t byte(Node node) const { return bytes_[node]; }
  // The first node after `node` that is not below it.
  Node end(Node node) const { return ends_[node]; }
  // kRoot if there is none.
  Node child(Node node, uint8_t byte) const;

  std::span<const int32_t> texts_at(Node node) const { return texts(node, node + 1); }
  // Those that begin so, itself included.
  std::span<const int32_t> texts_from(Node node) const { return texts(node, ends_[node]); }

  // Visits what is below `from`: `step(state, node)` turns the state of a node's parent into that
  // of the node, or into nothing, and then all below it is passed over.
  template <typename State, typename Step>
  void walk(Node from, const State& start, const Step& step) const {
    std::vector<std::pair<Node, State>> above{{ends_[from], start}};
    for (Node at = from + 1; at < ends_[from];) {
      while (above.back().first <= at) above.pop_back();
      const std::optional<State> state = step(above.back().second, at);
      if (state) above.emplace_back(ends_[at], *state);
      at = state ? at + 1 : ends_[at];
    }
  }

 private:
  std::span<const int32_t> texts(Node from, Node to) const {
    return std::span(order_).subspan(first_[from], first_[to] - first_[from]);
  }

  std::vector<uint8_t> bytes_;
  std::vector<Node> ends_;
  std::vector<uint32_t> first_;  // of its texts in `order_`; one more than there are nodes
  std::vector<int32_t> order_;
};

}  // namespace exl
