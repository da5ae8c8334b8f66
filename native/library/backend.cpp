#include "library/backend.h"

#include <deque>

namespace exl {

namespace {

size_t scratch_of(const Backend& backend, const Call& call) {
  const LibraryDevice& device = *static_cast<const LibraryBackend&>(backend).device;
  ExlMessage message{};
  int32_t kernel = 0;
  uint64_t scratch = 0;
  check_code(device.api().select(device.device(), LibraryCall(call, nullptr).get(), &kernel,
                                 &scratch, &message),
             message, call.path);
  return size_t(scratch);
}

void run_group(Backend& backend, std::span<const Call> calls, const Run& run) {
  LibraryDevice& device = *static_cast<LibraryBackend&>(backend).device;
  std::deque<LibraryCall> forwarded;  // which cannot be moved
  std::vector<const ExlCall*> list;
  for (const Call& call : calls) list.push_back(forwarded.emplace_back(call, run.scratch).get());
  device.start(
      [&](ExlMessage* m) {
        return device.api().run(device.device(), calls[0].kernel, list.data(), int32_t(list.size()),
                                m);
      },
      calls[0].path);
}

void run(Backend& backend, const Call& call, const Run& run) {
  run_group(backend, {&call, 1}, run);
}

// Stands for every kernel of the library, which chooses among its own.
constexpr Kernel kForward{
    .op = nullptr, .name = "library", .scratch = scratch_of, .run = run, .run_group = run_group};

}  // namespace

LibraryBackend::LibraryBackend(std::shared_ptr<LibraryDevice> opened) : device(std::move(opened)) {}

const Kernel* LibraryBackend::find_kernel(Call& call, std::string& objections) const {
  ExlMessage message{};
  uint64_t scratch = 0;
  const ExlCode code = device->api().select(device->device(), LibraryCall(call, nullptr).get(),
                                            &call.kernel, &scratch, &message);
  if (code == EXL_UNSUPPORTED_OP) {
    for (const Kernel& kernel : host_kernels)
      if (kernel.op == call.op) return &kernel;
    objections = message.text;
    return nullptr;
  }
  check_code(code, message, call.path);
  return &kForward;
}

std::shared_ptr<Weight> LibraryBackend::load(const WeightSource& source, const Allocator& allocate,
                                             const std::string& label) {
  return load_library_weight(device, source, allocate, label);
}

std::shared_ptr<Backend> open_backend(std::shared_ptr<const Library> library, int index) {
  const bool emulated = library->api->kind == std::string_view("emulator");
  auto device = std::make_shared<LibraryDevice>(std::move(library), index);
  if (emulated) device->notices.add("it computes on the processor, slowly: it is for tests");
  return std::make_shared<LibraryBackend>(std::move(device));
}

}  // namespace exl
