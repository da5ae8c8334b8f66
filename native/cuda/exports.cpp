// The functions of library/backend_api.h. No exception leaves this file.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>

#include "base/error.h"
#include "cuda/list.h"
#include "cuda/table.h"

struct ExlDevice {
  exl::cuda::Device device;
};

struct ExlGraph {
  exl::cuda::GraphExec exec;
};

namespace exl::cuda {

namespace {

ExlCode code_of(Code code) {
  switch (code) {
    case Code::OutOfMemory:
      return EXL_OUT_OF_MEMORY;
    case Code::DeviceUnavailable:
      return EXL_DEVICE_UNAVAILABLE;
    case Code::DeviceLost:
      return EXL_DEVICE_LOST;
    case Code::UnsupportedOp:
      return EXL_UNSUPPORTED_OP;
    case Code::InvalidArgument:
      return EXL_INVALID_ARGUMENT;
    default:
      return EXL_INTERNAL;
  }
}

template <typename F>
ExlCode guarded(ExlMessage* message, const F& run) {
  const auto fail = [&](ExlCode code, const char* text) {
    std::snprintf(message->text, sizeof message->text, "%s", text);
    return code;
  };
  try {
    run();
    return EXL_OK;
  } catch (const Error& error) {
    return fail(code_of(error.code), error.what());
  } catch (const std::bad_alloc&) {
    return fail(EXL_OUT_OF_MEMORY, "the heap is exhausted");
  } catch (const std::exception& error) {
    return fail(EXL_INTERNAL, error.what());
  }
}

const Driver& driver() {
  std::string reason;
  const Driver* found = find_driver(reason);
  if (!found) throw Error(Code::DeviceUnavailable, reason);
  return *found;
}

ExlCode list(ExlDeviceInfo* infos, int32_t capacity, int32_t* count, ExlMessage* message) {
  return guarded(message, [&] { *count = list_devices(driver(), infos, capacity); });
}

ExlCode open(int32_t index, ExlDevice** device, ExlTraits* traits, ExlMessage* message) {
  return guarded(message, [&] {
    require_usable(driver(), index);
    *device = new ExlDevice{{driver(), index}};
    const char* records = std::getenv("EXL_CUDA_GRAPHS");
    *traits = {.activation_type = EXL_F16,
               .cache_type = EXL_F16,
               .records = !records || std::string_view(records) != "0",
               .page_bytes = driver().page_bytes};
  });
}

void close(ExlDevice* device) { delete device; }

ExlCode allocate(ExlDevice* device, int32_t memory, uint64_t bytes, void** address,
                 uint64_t* reserved, ExlMessage* message) {
  return guarded(message, [&] {
    size_t taken = 0;
    *address = device->device.allocate(memory == EXL_MEMORY_PINNED, size_t(bytes), &taken);
    *reserved = taken;
  });
}

void free(ExlDevice* device, int32_t memory, void* address) {
  device->device.free(memory == EXL_MEMORY_PINNED, address);
}

ExlCode write(ExlDevice* device, void* to, const void* from, uint64_t bytes, ExlMessage* message) {
  return guarded(message, [&] { device->device.write(to, from, size_t(bytes)); });
}

ExlCode upload(ExlDevice* device, void* to, const void* from, uint64_t bytes, ExlMessage* message) {
  return guarded(message, [&] { device->device.upload(to, from, size_t(bytes)); });
}

ExlCode download(ExlDevice* device, void* to, const void* from, uint64_t bytes,
                 ExlMessage* message) {
  return guarded(message, [&] { device->device.download(to, from, size_t(bytes)); });
}

ExlCode copy(ExlDevice* device, void* to, const void* from, uint64_t bytes, ExlMessage* message) {
  return guarded(message, [&] { device->device.copy(to, from, size_t(bytes)); });
}

ExlCode synchronize(ExlDevice* device, ExlMessage* message) {
  return guarded(message, [&] { device->device.synchronize(); });
}

ExlCode weight_load(ExlDevice* device, const ExlWeightSource* source, ExlWeight** weight,
                    ExlMessage* message) {
  return guarded(message, [&] { *weight = load_weight(device->device, *source); });
}

void weight_free(ExlWeight* weight) { delete weight; }

ExlCode select(ExlDevice* device, const ExlCall* call, int32_t* chosen, uint64_t* scratch,
               ExlMessage* message) {
  return guarded(message, [&] {
    std::string objections;
    for (int32_t i = 0; const Kernel& kernel : kernels()) {
      const int32_t index = i++;
      if (std::string_view(kernel.op) != call->op) continue;
      std::string objection = kernel.refuses ? kernel.refuses(*call) : std::string();
      if (objection.empty() && kernel.shared_bytes)
        objection = device->device.too_little_shared(kernel.shared_bytes(*call));
      if (!objection.empty()) {
        objections += std::string("\n  ") + kernel.name + ": " + objection;
        continue;
      }
      *chosen = index;
      *scratch = kernel.scratch ? kernel.scratch(*call) : 0;
      return;
    }
    throw Error(Code::UnsupportedOp,
                objections.empty() ? " (it has no kernel for it)" : objections);
  });
}

ExlCode run(ExlDevice* device, int32_t index, const ExlCall* const* calls, int32_t count,
            ExlMessage* message) {
  return guarded(message, [&] {
    const Kernel& kernel = kernels()[size_t(index)];
    const Stream stream = device->device.stream();
    device->device.run(calls[0]->path, [&] {
      if (kernel.run_together) return kernel.run_together(stream, {calls, size_t(count)});
      for (int32_t i = 0; i < count; i++) kernel.run(stream, *calls[i]);
    });
  });
}

ExlCode capture_begin(ExlDevice* device, int32_t overlap, ExlMessage* message) {
  return guarded(message, [&] { device->device.capture_begin(overlap != 0); });
}

ExlCode capture_end(ExlDevice* device, ExlGraph** graph, ExlMessage* message) {
  return guarded(message, [&] {
    auto made = std::make_unique<ExlGraph>();
    made->exec = device->device.capture_end();
    *graph = made.release();
  });
}

ExlCode graph_launch(ExlDevice* device, ExlGraph* graph, ExlMessage* message) {
  return guarded(message, [&] { device->device.launch(graph->exec); });
}

void graph_free(ExlDevice* device, ExlGraph* graph) {
  device->device.free(graph->exec);
  delete graph;
}

}  // namespace

const ExlBackendApi* api() {
  static const ExlBackendApi table{
      EXL_BACKEND_ABI, kKind,        kBuild,      list,   open,     close,
      allocate,        free,         write,       upload, download, copy,
      synchronize,     weight_load,  weight_free, select, run,      capture_begin,
      capture_end,     graph_launch, graph_free};
  return &table;
}

}  // namespace exl::cuda

#ifdef _WIN32
#define EXL_EXPORT __declspec(dllexport)
#else
#define EXL_EXPORT __attribute__((visibility("default")))
#endif

extern "C" EXL_EXPORT const ExlBackendApi* exl_backend(void) { return exl::cuda::api(); }
