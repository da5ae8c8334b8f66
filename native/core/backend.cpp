#include "core/backend.h"

#include "base/error.h"

namespace exl {

Dtype Backend::value_type(const Op& op, size_t output) const {
  const std::string_view name = op.name;
  if (name == "sample") return Dtype::I32;
  if (name == "top_k") return output == 0 ? Dtype::F32 : Dtype::I32;
  // Half an angle's digits would be gone, and log-probabilities are for people to read.
  const bool is_half = dtype_size(activation_type()) == 2;
  if (is_half && (name == "rope_angles" || name == "token_log_prob")) return Dtype::F32;
  return activation_type();
}

const Kernel* Backend::find_kernel(Call& call, std::string& objections) const {
  for (const Kernel& kernel : kernels()) {
    if (std::string_view(kernel.op) != call.op->name) continue;
    const std::string objection = kernel.refuses ? kernel.refuses(call) : std::string();
    if (objection.empty()) return &kernel;
    objections += std::string("\n  ") + kernel.name + ": " + objection;
  }
  if (objections.empty()) objections = " (it has no kernel for it)";
  return nullptr;
}

const Kernel& Backend::select(Call& call) const {
  std::string objections;
  const Kernel* const kernel = find_kernel(call, objections);
  if (kernel) return *kernel;
  throw Error(Code::UnsupportedOp,
              std::string(name()) + " cannot run " + call.op->name + objections, call.path);
}

}  // namespace exl
