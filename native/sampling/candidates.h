// The list every stage of sampling works on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace exl {

// NaN and infinity have no place on a scale: they become its ends. Below lies only "never".
inline constexpr float kLowest = -1e30f;
float bounded(double logit);

// Value and id as one number. Larger numbers come first: larger values, and of equal ones the lower
// id, so that the order is the same everywhere.
uint64_t order_key(float value, int32_t id);
float key_value(uint64_t key);
inline int32_t key_id(uint64_t key) { return int32_t(~uint32_t(key)); }

// Tokens that may still be drawn, with their logits; after `softmax` with weights, whose share of
// `sum` is the probability. Nothing is renormalised when tokens are removed: `sum` follows.
class Candidates {
 public:
  // Takes over the logits of a whole vocabulary.
  Candidates(float* logits, int64_t vocabulary, std::byte* scratch);
  // Takes over the `count` largest logits of one, whose ids ascend.
  Candidates(float* logits, const int32_t* ids, int64_t count, std::byte* scratch);
  static size_t scratch_bytes(int64_t vocabulary);

  float* values;
  int64_t count;
  double sum = 0;
  bool sorted = false;   // largest first
  bool damaged = false;  // logits were not finite, and nothing is to be drawn from them

  int32_t id(int64_t i) const { return whole_ ? int32_t(i) : ids_[i]; }
  // Whether the value of id i is values[i].
  bool whole() const { return whole_; }
  // The place of an id among those that still ascend; -1: it is not there.
  int64_t place(int32_t id) const {
    if (whole_) return id >= 0 && id < count ? id : -1;
    const int32_t* const found = std::lower_bound(ids_, ids_ + count, id);
    return found < ids_ + count && *found == id ? found - ids_ : -1;
  }
  uint64_t key(int64_t i) const { return order_key(values[i], id(i)); }

  float largest() const;
  void add_up();
  int64_t count_from(double least) const;

  // Each keeps the order. `sum` is up to the caller.
  void keep_from(double least);
  template <typename Keeps>
  void keep_if(const Keeps& keeps) {
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
      const bool stays = keeps(i);
      const int32_t own = id(i);
      values[kept] = values[i], ids_[kept] = own;
      kept += stays;
    }
    resize(kept);
  }
  // The first ones; for sorted lists.
  void keep_first(int64_t n) {
    keep_if([n](int64_t i) { return i < n; });
  }
  void keep_only(int64_t i) {
    values[0] = values[i], ids_[0] = id(i);
    whole_ = false;
    count = 1;
  }

  void sort();
  // Takes the place of the list: the first `n` of keys(), in their order.
  void take_keys(int64_t n);

  // Memory for as many keys as there are candidates, which no other method keeps anything in.
  uint64_t* keys() const { return keys_; }

 private:
  void resize(int64_t n) {
    whole_ = whole_ && n == count;
    count = n;
  }

  bool whole_ = true;
  uint64_t* keys_;
  int32_t* ids_;  // unused while whole
};

// Sum of weights, in an order that depends on nothing but `count`.
double total(const float* values, int64_t count);

}  // namespace exl
