#include "sampling/filter.h"

#include <algorithm>
#include <optional>

namespace exl {

void TokenMask::fill_others(float* values, float value) const {
  for (int64_t i = 0; i < ids_; i += 64) {
    const uint64_t word = words_[size_t(i) / 64];
    const int64_t count = std::min<int64_t>(64, ids_ - i);
    if (word == 0)
      std::fill_n(values + i, count, value);
    else if (word != ~uint64_t(0))
      for (int64_t k = 0; k < count; k++) values[i + k] = word >> k & 1 ? values[i + k] : value;
  }
}

Filters::Filters(std::shared_ptr<const Vocabulary> vocabulary,
                 std::vector<std::unique_ptr<Filter>> filters, const std::vector<int32_t>& end_ids,
                 int32_t healed)
    : vocabulary_(std::move(vocabulary)),
      filters_(std::move(filters)),
      end_ids_(end_ids),
      healed_(vocabulary_->text(healed)) {
  for (const char byte : healed_) start_ = vocabulary_->trie().child(start_, uint8_t(byte));
}

TokenMask Filters::allowed(const Filter& filter, int64_t ids) const {
  TokenMask mask(ids);
  const Trie::Node from = draws_ == 0 ? start_ : Trie::kRoot;
  // The healed token itself says nothing that a filter sees.
  if (from != Trie::kRoot) mask.allow(vocabulary_->trie().texts_at(from));
  filter.allow(from, mask);
  mask.forbid(end_ids_);
  if (filter.may_end()) mask.allow(end_ids_);
  return mask;
}

void Filters::block(std::span<float> values, float value) const {
  if (!active()) return;
  const auto ids = int64_t(values.size());
  if (text_draws_ < draws_) {
    TokenMask mask(ids);
    mask.allow(end_ids_);
    return mask.fill_others(values.data(), value);
  }
  std::optional<TokenMask> all;
  for (const auto& filter : filters_) {
    if (filter->allows_all()) continue;
    const TokenMask mask = allowed(*filter, ids);
    all ? all->intersect(mask) : void(all = mask);
  }
  if (all) all->fill_others(values.data(), value);
}

void Filters::advance(int32_t id) {
  if (!active()) return;
  const bool ended =
      text_draws_ < draws_ || std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
  if (!ended) {
    std::string_view text = vocabulary_->text(id);
    if (draws_ == 0) text.remove_prefix(std::min(text.size(), healed_.size()));
    for (const auto& filter : filters_) filter->advance(text);
    text_draws_++;
  }
  draws_++;
}

void Filters::rewind(uint64_t draws) {
  if (draws >= draws_) return;
  draws_ = draws;
  text_draws_ = std::min(text_draws_, draws);
  for (const auto& filter : filters_) filter->rewind(size_t(text_draws_));
}

}  // namespace exl
