// One token of one head in the cache, plainly: written and read back in double precision.
#pragma once

#include <vector>

#include "core/cache.h"

namespace exl::reference {

// Stores the `dim` numbers of a key or value in the way of its side.
void write_head(const LayerCache& cache, const CacheSide& side, int64_t page, int64_t head,
                int64_t token, const double* x);

// What they have become.
std::vector<double> read_head(const LayerCache& cache, const CacheSide& side, int64_t page,
                              int64_t head, int64_t token);

}  // namespace exl::reference
