// Which devices there are, and why one cannot be used.
#pragma once

#include "cuda/driver.h"
#include "library/backend_api.h"

namespace exl::cuda {

// Fills in up to `capacity`; returns how many there are of them. Throws DeviceUnavailable if there
// can be none.
int list_devices(const Driver& driver, ExlDeviceInfo* infos, int capacity);

// Throws DeviceUnavailable, saying why.
void require_usable(const Driver& driver, int index);

}  // namespace exl::cuda
