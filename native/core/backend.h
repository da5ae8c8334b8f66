// What a backend is: a place for weights, and kernels for ops.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/notices.h"
#include "base/tensor.h"
#include "core/cache.h"
#include "core/slots.h"
#include "formats/format.h"
#include "ops/op.h"

namespace exl {

// A weight in the layout its backend wants; backends derive from it. Linear weights are [out, in].
struct Weight {
  virtual ~Weight() = default;
  Shape shape;
};

// One op of a program, bound to addresses. Shapes hold actual sizes while it runs.
struct Call {
  struct Operand {
    Tensor tensor;                         // values and slots
    std::shared_ptr<const Weight> weight;  // weights
    const LayerCache* cache = nullptr;
  };

  const Op* op = nullptr;
  int32_t kernel = 0;           // of a backend that chooses for itself: what it chose
  bool output_on_host = false;  // of a kernel on the host: unless the output is a user's tensor
  std::string path;             // `model.layers.3.mlp.gate_proj`
  std::vector<Operand> inputs;
  std::vector<Tensor> outputs;
  std::vector<double> attributes;

  const Tensor& in(int i) const { return inputs[size_t(i)].tensor; }
  const Tensor& out(int i = 0) const { return outputs[size_t(i)]; }
  const LayerCache& cache(int i) const { return *inputs[size_t(i)].cache; }
  double attribute(std::string_view name) const {
    return attributes[size_t(op->attribute_index(name))];
  }

  const Weight* weight(int i) const { return inputs[size_t(i)].weight.get(); }
};

// A weight as the backend's own type, or null if it is absent or another type.
template <typename T>
const T* weight_as(const Weight* weight) {
  return dynamic_cast<const T*>(weight);
}

// What a kernel may use while it runs.
struct Run {
  std::byte* scratch;                                  // as many bytes as Kernel::scratch asked for
  std::span<const std::shared_ptr<Sampler>> samplers;  // of this step, one per output
};

class Backend;

// Kernels of one op are tried in order; the first that does not refuse is taken.
struct Kernel {
  const Op* op;
  const char* name;
  // An objection, or nothing; null: never refuses.
  std::string (*refuses)(const Call&) = nullptr;
  // For the call at its largest; null: none.
  size_t (*scratch)(const Backend&, const Call&) = nullptr;
  void (*run)(Backend&, const Call&, const Run&);

  // Of a backend with memory of its own: waits for the device, and has its scratch and (see
  // Call::output_on_host) its output in host memory.
  bool on_host = false;

  // Does what `run` does for calls of one first input, one after another; null: it does no better.
  void (*run_group)(Backend&, std::span<const Call>, const Run&) = nullptr;
};

// How a backend keeps weights of some formats.
struct Layout {
  const char* name;
  // An objection, or nothing.
  std::string (*refuses)(const WeightSource&);
  std::shared_ptr<Weight> (*load)(Backend&, const WeightSource&, const Allocator&,
                                  const std::string& label);
};
using Layouts = std::span<const Layout>;

// A backend lists the rows that stand beside its kernels.
using Kernels = std::span<const Kernel>;
std::vector<Kernel> join(std::initializer_list<Kernels> lists);

// What makes two steps of a program the same but for the contents of memory.
struct StepSize {
  int64_t rows, outputs, sequences;
  auto operator<=>(const StepSize&) const = default;
};

// Launches of one program, recorded so that a step is one call.
class StepGraphs {
 public:
  virtual ~StepGraphs() = default;
  // Does what `launch` does for steps of this size.
  virtual void run(const StepSize& size, const std::function<void()>& launch) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  virtual Dtype activation_type() const = 0;
  virtual Dtype cache_type() const = 0;  // how it holds an fp16 cache
  // Of an output of an op.
  Dtype value_type(const Op& op, size_t output) const;
  virtual Kernels kernels() const = 0;

  // Null: it computes in host memory.
  virtual std::shared_ptr<DeviceMemory> memory() const { return nullptr; }
  // For one program; null: it has no use for them.
  virtual std::unique_ptr<StepGraphs> make_graphs() { return nullptr; }

  // What will run the call; null, with the objection of every candidate, if nothing does.
  virtual const Kernel* find_kernel(Call& call, std::string& objections) const;
  // Throws UnsupportedOp.
  const Kernel& select(Call& call) const;

  virtual Layouts layouts() const { return {}; }
  // Reads the source into buffers of this backend, by the first layout that does not refuse. Runs
  // on the engine thread. Throws FormatUnsupported.
  virtual std::shared_ptr<Weight> load(const WeightSource& source, const Allocator& allocate,
                                       const std::string& label);

  // Threads to compute with; more than are running are started.
  virtual void use_threads(int) {}

  // What a person should know of this device, of which nobody hears otherwise.
  virtual Notices& notices() { return notices_; }

 private:
  Notices notices_;
};

}  // namespace exl
