// The management library that comes with the driver: it knows how much memory of a GPU is free
// without a context, which would take 300 MB of it.
#pragma once

#include <cstddef>

namespace exl::cuda {

// False if it cannot be told.
bool nvml_free_bytes(const char* bus_id, size_t* bytes);

}  // namespace exl::cuda
