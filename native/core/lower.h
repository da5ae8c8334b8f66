// What a backend runs in the place of what a model recorded.
#pragma once

#include "core/recording.h"

namespace exl {

// Makes one op of several where the backend has a kernel for that, brings linear layers of one
// input together, and has a device look for the logits that sampling needs. Values that are left
// have the same bits.
void lower(Recording& recording, const Backend& backend);

}  // namespace exl
