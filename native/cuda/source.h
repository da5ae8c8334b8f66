// What the host lends while a weight is loaded.
#pragma once

#include <vector>

#include "base/error.h"
#include "library/backend_api.h"

namespace exl::cuda {

// A callback failed. The host knows why, and says so in place of this.
struct HostFailed : Error {
  HostFailed() : Error(Code::Internal, "the host could not load a weight") {}
};

class Source {
 public:
  explicit Source(const ExlWeightSource& source) : source_(source) {}

  const ExlWeightSource* operator->() const { return &source_; }
  bool has(int piece) const { return source_.piece_bytes[piece] != 0; }

  // Device memory that goes with the weight or, as staging, when it is loaded.
  template <typename T>
  T* allocate(size_t count, const char* suffix) const {
    return static_cast<T*>(take(false, count * sizeof(T), suffix));
  }
  template <typename T>
  T* staging(size_t count) const {
    return static_cast<T*>(take(true, count * sizeof(T), ".staging"));
  }

  // A piece on the device, as it is; null if it is absent.
  template <typename T>
  T* keep(int piece, const char* suffix) const {
    return static_cast<T*>(copied(piece, false, suffix));
  }
  template <typename T>
  T* stage(int piece) const {
    return static_cast<T*>(copied(piece, true, ".staging"));
  }

  // A piece in host memory, of those that are small.
  std::vector<int32_t> fetch(int piece) const {
    std::vector<int32_t> values(source_.piece_bytes[piece] / sizeof(int32_t));
    if (!values.empty() && source_.fetch(source_.context, piece, values.data()) != EXL_OK)
      throw HostFailed();
    return values;
  }

 private:
  void* take(bool staging, uint64_t bytes, const char* suffix) const {
    void* address = nullptr;
    if (source_.allocate(source_.context, staging, bytes, suffix, &address) != EXL_OK)
      throw HostFailed();
    return address;
  }

  void* copied(int piece, bool staging, const char* suffix) const {
    const uint64_t bytes = source_.piece_bytes[piece];
    if (bytes == 0) return nullptr;
    void* address = take(staging, bytes, suffix);
    if (source_.copy(source_.context, piece, 0, bytes, address) != EXL_OK) throw HostFailed();
    return address;
  }

  const ExlWeightSource& source_;
};

}  // namespace exl::cuda
