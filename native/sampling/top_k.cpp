// Keeps the k most probable tokens.
#include <algorithm>
#include <functional>

#include "sampling/stages.h"

namespace exl {

namespace {

constexpr int64_t kRows = 64;

// At least k values reach the k-th largest of the largest values of groups: a bound that few others
// reach, found in one pass. Read as a matrix, each column is a group.
void drop_most(int64_t k, Candidates& list) {
  const int64_t columns = list.count / kRows;
  if (columns < 2 * k) return;
  auto* const most = reinterpret_cast<float*>(list.keys());
  std::copy_n(list.values, columns, most);
  for (int64_t row = 1; row < kRows; row++) {
    const float* from = list.values + row * columns;
    for (int64_t c = 0; c < columns; c++) most[c] = from[c] > most[c] ? from[c] : most[c];
  }
  std::nth_element(most, most + k - 1, most + columns, std::greater<>());
  list.keep_from(double(most[k - 1]));
}

}  // namespace

void top_k(const StageContext& context, Candidates& list) {
  const int64_t k = context.settings.top_k;
  if (k == 0) return;
  if (k < list.count) {
    drop_most(k, list);
    uint64_t* const keys = list.keys();
    for (int64_t i = 0; i < list.count; i++) keys[i] = list.key(i);
    std::nth_element(keys, keys + k - 1, keys + list.count, std::greater<>());
    list.take_keys(k);
  }
  list.sort();
}

}  // namespace exl
