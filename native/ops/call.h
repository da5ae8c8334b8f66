// Named calls: what every backend reads instead of numbers of operands.
//
// The header of an op has a struct over any kind of call that answers in(), out(), weight(),
// cache() and attribute(): core's Call, and the one that a library gets (cuda/call.h). It refers to
// the call, which has to outlive it.
#pragma once

#include <type_traits>
#include <utility>

namespace exl {

template <typename Call>
using TensorOf = std::remove_cvref_t<decltype(std::declval<const Call&>().in(0))>;
// Null where an optional weight is absent.
template <typename Call>
using WeightOf = decltype(std::declval<const Call&>().weight(0));
template <typename Call>
using CacheOf = std::remove_cvref_t<decltype(std::declval<const Call&>().cache(0))>;

// Which token of which sequence each row is: three slots that follow each other.
template <typename Call>
struct StepSlots {
  const TensorOf<Call>&positions, &sequences, &pages;

  StepSlots(const Call& call, int first)
      : positions(call.in(first)), sequences(call.in(first + 1)), pages(call.in(first + 2)) {}
};

}  // namespace exl
