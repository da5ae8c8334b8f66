// Weights as the fast kernels want them.
#pragma once

#include "cuda/call.h"
#include "cuda/source.h"

namespace exl::cuda {

// False if the kernels cannot take it: it is then kept as it is on disk.
bool repack(Device& device, const Source& source, ExlWeight& weight);

// Of a plain weight that is not in halves. False if there is nothing to do.
bool make_halves(Device& device, const Source& source, ExlWeight& weight);

}  // namespace exl::cuda
