#include "core/backend.h"

#include "base/error.h"

namespace exl {

Dtype Backend::value_type(const Op& op, size_t output) const {
  const Dtype activation = activation_type();
  switch (op.outputs[output].result) {
    case Result::Int:
      return Dtype::I32;
    case Result::Float:
      return dtype_size(activation) < dtype_size(Dtype::F32) ? Dtype::F32 : activation;
    case Result::Activation:
      return activation;
  }
  return activation;
}

std::vector<Kernel> join(std::initializer_list<Kernels> lists) {
  std::vector<Kernel> all;
  for (const Kernels& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

std::shared_ptr<Weight> Backend::load(const WeightSource& source, const Allocator& allocate,
                                      const std::string& label) {
  std::string objections;
  for (const Layout& layout : layouts()) {
    const std::string objection = layout.refuses(source);
    if (objection.empty()) return layout.load(*this, source, allocate, label);
    objections += std::string("\n  ") + layout.name + ": " + objection;
  }
  throw Error(Code::FormatUnsupported,
              std::string(name()) + " cannot hold " + source.format->name + objections, label);
}

const Kernel* Backend::find_kernel(Call& call, std::string& objections) const {
  for (const Kernel& kernel : kernels()) {
    if (kernel.op != call.op) continue;
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
