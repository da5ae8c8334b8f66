#include "memory/buffer.h"

#include <algorithm>

#include "base/error.h"
#include "memory/file.h"
#include "memory/pages.h"

namespace exl {

namespace {

Error refusal(size_t bytes, Kind kind, const std::string& label) {
  const size_t available = available_memory();
  const std::string left =
      available == SIZE_MAX ? "" : ", " + std::to_string(available) + " are available";
  return Error(Code::OutOfMemory,
               "no memory for " + std::to_string(bytes) + " bytes of " + kind_name(kind) + left +
                   "; use a smaller model, fewer cache tokens or free memory",
               label);
}

}  // namespace

Buffer::Buffer(std::shared_ptr<Ledger> ledger, size_t bytes)
    : ledger_(std::move(ledger)), bytes_(bytes) {}

Buffer::Buffer(std::shared_ptr<Ledger> ledger, size_t bytes, Kind kind, std::string label,
               std::string owner)
    : Buffer(std::move(ledger), bytes) {
  const size_t page = page_size();
  if (bytes > SIZE_MAX - page)
    throw Error(Code::OutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes", label);
  reserved_ = (bytes + page - 1) / page * page;
  if (reserved_) {
    data_ = static_cast<std::byte*>(map_pages(reserved_));
    if (!data_) throw refusal(reserved_, kind, label);
  }
  id_ = ledger_->enter(kind, std::move(label), std::move(owner), bytes_, reserved_);
}

Buffer::Buffer(std::shared_ptr<Ledger> ledger, std::shared_ptr<DeviceMemory> memory, Place place,
               size_t bytes, Kind kind, std::string label, std::string owner)
    : Buffer(std::move(ledger), bytes) {
  memory_ = std::move(memory), place_ = place;
  if (bytes)
    data_ = static_cast<std::byte*>(memory_->take(place, bytes, &reserved_, kind, label, owner));
  id_ = ledger_->enter(kind, std::move(label), std::move(owner), bytes_, reserved_);
}

Buffer::Buffer(std::shared_ptr<Ledger> ledger, void* mapping, size_t before, size_t bytes,
               std::string label, std::string owner)
    : ledger_(std::move(ledger)),
      data_(static_cast<std::byte*>(mapping) + before),
      bytes_(bytes),
      mapped_before_(before),
      is_mapping_(true) {
  id_ = ledger_->enter(Kind::Weights, std::move(label), std::move(owner), bytes_, 0);
}

void Buffer::back(size_t offset, size_t bytes) const {
  if (memory_ || is_mapping_ || !data_) return;
  const size_t page = page_size();
  const size_t first = offset / page * page, end = (offset + bytes + page - 1) / page * page;
  back_pages(data_ + first, std::min(end, reserved_) - first);
}

Buffer::~Buffer() {
  size_t returned = reserved_;
  if (memory_ && data_)
    returned = memory_->give(place_, data_, reserved_);
  else if (is_mapping_)
    File::unmap(data_ - mapped_before_, bytes_ + mapped_before_);
  else if (data_)
    unmap_pages(data_, reserved_);
  ledger_->strike(id_, returned);
}

}  // namespace exl
