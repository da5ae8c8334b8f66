#include "core/backend.h"

namespace exl {

const Kernel& select_kernel(const Backend& backend, const Call& call) {
  std::string objections;
  for (const Kernel& kernel : backend.kernels()) {
    if (std::string_view(kernel.op) != call.op->name) continue;
    const std::string objection = kernel.refuses ? kernel.refuses(call) : std::string();
    if (objection.empty()) return kernel;
    objections += std::string("\n  ") + kernel.name + ": " + objection;
  }
  if (objections.empty()) objections = " (it has no kernel for it)";
  throw Error(Code::UnsupportedOp,
              std::string(backend.name()) + " cannot run " + call.op->name + objections, call.path);
}

}  // namespace exl
