// Locally typical sampling (Meister et al., arXiv:2202.00666): keeps the tokens whose surprise is
// nearest to the expected one. ExLlamaV2 measures it differently and leaves out the last of them.
#include <cmath>

#include "sampling/select.h"
#include "sampling/stages.h"

namespace exl {

namespace {

// Nearest first; of equally near ones the first in the list.
template <typename Distance>
uint64_t near_key(const Distance& distance, int64_t i) {
  return order_key(-float(distance(i)), int32_t(i));
}

template <typename Distance>
uint64_t* near_keys(const Distance& distance, const Candidates& list) {
  for (int64_t i = 0; i < list.count; i++) list.keys()[i] = near_key(distance, i);
  return list.keys();
}

void textbook(double share, Candidates& list) {
  const auto surprise = [&](int64_t i) { return -std::log(double(list.values[i]) / list.sum); };
  double entropy = 0;
  for (int64_t i = 0; i < list.count; i++)
    if (list.values[i] > 0) entropy += double(list.values[i]) / list.sum * surprise(i);
  const auto distance = [&](int64_t i) { return std::fabs(surprise(i) - entropy); };
  const uint64_t end = prefix_end(near_keys(distance, list), list.count, share * list.sum,
                                  [&](uint64_t key) { return double(list.values[key_id(key)]); });
  list.keep_if([&](int64_t i) { return near_key(distance, i) >= end; });
}

void exllamav2(double share, Candidates& list) {
  const double sum = list.sum;
  const double least = std::fmin(1e-8 * sum, double(list.largest()));
  list.keep_from(least);
  const auto measure = [&](int64_t i) {
    const double p = double(list.values[i]) / sum;
    return p + std::log(p + 1e-10);
  };
  double mean = 0;
  for (int64_t i = 0; i < list.count; i++) mean += double(list.values[i]) / sum * measure(i);
  const auto distance = [&](int64_t i) { return std::fabs(measure(i) - mean); };
  const double wanted = share * sum;
  const auto mass_of = [&](uint64_t key) { return double(list.values[key_id(key)]); };
  const uint64_t end = prefix_end(near_keys(distance, list), list.count, wanted, mass_of);

  double mass = 0;
  int64_t before = 0;
  for (int64_t i = 0; i < list.count; i++)
    if (near_key(distance, i) >= end) mass += double(list.values[i]), before++;
  // Kept to the end only where even all of them do not reach the share.
  const bool leaves_out = mass >= wanted && before > 1;
  list.keep_if([&](int64_t i) {
    const uint64_t key = near_key(distance, i);
    return leaves_out ? key > end : key >= end;
  });
}

}  // namespace

void typical(const StageContext& context, Candidates& list) {
  const double share = context.settings.typical_p;
  if (share <= 0 || share >= 1 || list.count < 2) return;
  context.settings.exllamav2 ? exllamav2(share, list) : textbook(share, list);
  list.add_up();
}

}  // namespace exl
