#include "base/error.h"
#include "library/backend.h"

namespace exl {

LibraryDevice::LibraryDevice(std::shared_ptr<const Library> library, int index)
    : library_(std::move(library)), name_(std::string(api().kind) + ":" + std::to_string(index)) {
  ExlMessage message{};
  check_code(api().open(index, &device_, &traits_, &message), message);
}

LibraryDevice::~LibraryDevice() {
  if (device_) api().close(device_);
}

void* LibraryDevice::take(Place place, size_t bytes, size_t* reserved, Kind kind,
                          const std::string& label) {
  ExlMessage message{};
  void* address = nullptr;
  uint64_t taken = 0;
  const int32_t memory = place == Place::Pinned ? EXL_MEMORY_PINNED : EXL_MEMORY_DEVICE;
  const ExlCode code = api().allocate(device_, memory, bytes, &address, &taken, &message);
  if (code == EXL_OUT_OF_MEMORY)
    throw Error(Code::OutOfMemory,
                std::string(message.text) + " for " + kind_name(kind) +
                    "; use a smaller model, fewer cache tokens or free memory",
                label);
  check_code(code, message, label);
  *reserved = size_t(taken);
  return address;
}

void LibraryDevice::give(Place place, void* address) {
  api().free(device_, place == Place::Pinned ? EXL_MEMORY_PINNED : EXL_MEMORY_DEVICE, address);
}

void LibraryDevice::write(void* device, const void* host, size_t bytes) {
  ExlMessage message{};
  check_code(api().write(device_, device, host, bytes, &message), message);
}

void LibraryDevice::upload(void* device, const void* host, size_t bytes) {
  start([&](ExlMessage* m) { return api().upload(device_, device, host, bytes, m); });
}

void LibraryDevice::download(void* host, const void* device, size_t bytes) {
  start([&](ExlMessage* m) { return api().download(device_, host, device, bytes, m); });
}

void LibraryDevice::copy(void* to, const void* from, size_t bytes) {
  start([&](ExlMessage* m) { return api().copy(device_, to, from, bytes, m); });
}

void LibraryDevice::synchronize() {
  if (!under_way_) return;
  ExlMessage message{};
  check_code(api().synchronize(device_, &message), message);
  under_way_ = false;
}

}  // namespace exl
