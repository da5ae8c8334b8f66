#include "sampling/vocabulary.h"

#include <algorithm>

#include "base/error.h"

namespace exl {

namespace {

std::vector<std::string_view> cut(std::string_view bytes, const std::vector<int32_t>& offsets) {
  if (offsets.empty() || offsets.front() != 0 || size_t(offsets.back()) != bytes.size() ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw Error(Code::InvalidArgument, "offsets do not cut the bytes into texts");
  std::vector<std::string_view> texts;
  for (size_t i = 0; i + 1 < offsets.size(); i++)
    texts.push_back(bytes.substr(size_t(offsets[i]), size_t(offsets[i + 1] - offsets[i])));
  return texts;
}

}  // namespace

Vocabulary::Vocabulary(std::string bytes, std::vector<int32_t> offsets)
    : bytes_(std::move(bytes)), offsets_(std::move(offsets)), trie_(cut(bytes_, offsets_)) {
  for (int byte = 0; byte < 256; byte++) {
    const Trie::Node node = trie_.child(Trie::kRoot, uint8_t(byte));
    has_every_byte_ = has_every_byte_ && !trie_.texts_at(node).empty();
  }
}

}  // namespace exl
