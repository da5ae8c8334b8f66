#include "base/error.h"
#include "library/backend.h"

namespace exl {

LibraryDevice::LibraryDevice(std::shared_ptr<const Library> library, int index)
    : library_(std::move(library)), name_(std::string(api().kind) + ":" + std::to_string(index)) {
  ExlMessage message{};
  check_code(api().open(index, &device_, &traits_, &message), message);
  if (traits_.page_bytes > 1) slabs_ = std::make_unique<Slabs>(traits_.page_bytes);
}

LibraryDevice::~LibraryDevice() {
  if (device_) api().close(device_);
}

void* LibraryDevice::allocate(int32_t memory, size_t bytes, size_t* reserved,
                              std::string& objection) {
  ExlMessage message{};
  void* address = nullptr;
  uint64_t taken = 0;
  const ExlCode code = api().allocate(device_, memory, bytes, &address, &taken, &message);
  *reserved = size_t(taken);
  if (code != EXL_OUT_OF_MEMORY) check_code(code, message);
  objection = message.text;
  return address;
}

void* LibraryDevice::take(Place place, size_t bytes, size_t* reserved, Kind kind,
                          const std::string& label, const std::string& owner) {
  std::string objection;
  void* address = nullptr;
  // What lives long, and goes together.
  if (slabs_ && place == Place::Device && (kind == Kind::Weights || kind == Kind::Cache))
    address = slabs_->allocate(owner + kind_name(kind), bytes, reserved, [&](size_t slab) {
      size_t taken;
      return static_cast<std::byte*>(allocate(EXL_MEMORY_DEVICE, slab, &taken, objection));
    });
  else
    address = allocate(place == Place::Pinned ? EXL_MEMORY_PINNED : EXL_MEMORY_DEVICE, bytes,
                       reserved, objection);
  if (!address)
    throw Error(Code::OutOfMemory,
                objection + " for " + kind_name(kind) +
                    "; use a smaller model, fewer cache tokens or free memory",
                label);
  return address;
}

size_t LibraryDevice::give(Place place, void* address, size_t reserved) {
  const int32_t memory = place == Place::Pinned ? EXL_MEMORY_PINNED : EXL_MEMORY_DEVICE;
  const auto free = [&](void* whole) { api().free(device_, memory, whole); };
  size_t given = 0;
  if (slabs_ && place == Place::Device &&
      slabs_->free(static_cast<std::byte*>(address), &given, free))
    return given;
  free(address);
  return reserved;
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

void LibraryDevice::recording_failed(const Error& error) {
  const bool last = recordings_ == Recordings::Plain;
  recordings_ = last ? Recordings::None : Recordings::Plain;
  notices.add(std::string("a step could not be recorded and was launched op by op: ") +
              error.what() +
              (last ? "; no step is recorded from now on, which costs speed"
                    : "; launches of recorded steps do not overlap from now on"));
}

}  // namespace exl
