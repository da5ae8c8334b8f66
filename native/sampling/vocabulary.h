// What every token says, in bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/trie.h"

namespace exl {

// Shared by the samplers of a model. Characters may be split across tokens, so a text is bytes;
// tokens that are not text, such as special ones, have none.
class Vocabulary {
 public:
  // Token i has the bytes from offsets[i] to offsets[i + 1]. Throws InvalidArgument.
  Vocabulary(std::string bytes, std::vector<int32_t> offsets);

  // Nothing for ids that no token has.
  std::string_view text(int32_t id) const {
    if (id < 0 || size_t(id) + 1 >= offsets_.size()) return {};
    const auto from = size_t(offsets_[size_t(id)]), to = size_t(offsets_[size_t(id) + 1]);
    return std::string_view(bytes_).substr(from, to - from);
  }

  // Whether each byte is a token, so that every text can be spelled.
  bool has_every_byte() const { return has_every_byte_; }

  // By id.
  const Trie& trie() const { return trie_; }

 private:
  std::string bytes_;
  std::vector<int32_t> offsets_;
  Trie trie_;
  bool has_every_byte_ = true;
};

}  // namespace exl
