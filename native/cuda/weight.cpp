// Weights on their way to the device. What is asked of the host comes back as a code: on a failure
// it knows more than this side.
#include <memory>
#include <vector>

#include "cuda/call.h"
#include "cuda/simple/simple.h"

namespace exl::cuda {

namespace {

// A callback of the host failed, and the host knows why.
struct HostFailed : Error {
  HostFailed() : Error(Code::Internal, "the host could not load a weight") {}
};

class Source {
 public:
  explicit Source(const ExlWeightSource& source) : source_(source) {}

  void* allocate(bool staging, uint64_t bytes, const char* suffix) const {
    void* address = nullptr;
    if (source_.allocate(source_.context, staging, bytes, suffix, &address) != EXL_OK)
      throw HostFailed();
    return address;
  }

  // A piece as it is, on the device; null if it is absent.
  template <typename T>
  T* keep(int piece, const char* suffix) const {
    const uint64_t bytes = source_.piece_bytes[piece];
    if (bytes == 0) return nullptr;
    void* address = allocate(false, bytes, suffix);
    if (source_.copy(source_.context, piece, 0, bytes, address) != EXL_OK) throw HostFailed();
    return static_cast<T*>(address);
  }

  // A piece in host memory, of those that are small.
  std::vector<int32_t> fetch(int piece) const {
    std::vector<int32_t> values(source_.piece_bytes[piece] / sizeof(int32_t));
    if (!values.empty() && source_.fetch(source_.context, piece, values.data()) != EXL_OK)
      throw HostFailed();
    return values;
  }

  const ExlWeightSource* operator->() const { return &source_; }

 private:
  const ExlWeightSource& source_;
};

// Where the code of each packed row is.
std::vector<simple::PackedRow> packed_rows(const Source& source) {
  const std::vector<int32_t> features = source.fetch(EXL_PIECE_FEATURES);
  const std::vector<int32_t> stored = source.fetch(EXL_PIECE_STORED_ROWS);
  std::vector<simple::PackedRow> rows;
  int64_t bit = 0;
  for (int32_t g = 0; g < source->group_count; g++)
    for (int32_t i = 0, bits = source->groups[g].bits; i < source->groups[g].rows; i++) {
      const size_t p = rows.size();
      const int64_t at = stored.empty() ? bit : int64_t(stored[p]) * 4;
      rows.push_back({int32_t(at / 32), int32_t(at % 32), bits, g,
                      features.empty() ? int32_t(p) : features[p]});
      bit += bits;
    }
  return rows;
}

}  // namespace

ExlWeight* load_weight(Device& device, const ExlWeightSource& from) {
  const Source source(from);
  auto weight = std::make_unique<ExlWeight>();
  weight->quantised = from.quantised != 0;
  weight->dtype = from.dtype;
  weight->rank = from.rank;
  weight->dims[0] = from.dims[0], weight->dims[1] = from.dims[1];
  if (!weight->quantised) {
    weight->data = source.keep<void>(EXL_PIECE_DATA, "");
    return weight.release();
  }
  simple::QuantMatrix& matrix = weight->matrix;
  matrix.codes = source.keep<uint32_t>(EXL_PIECE_CODES, "");
  matrix.scale_codes = source.keep<uint32_t>(EXL_PIECE_SCALE_CODES, ".scales");
  matrix.scale_max = source.keep<uint16_t>(EXL_PIECE_SCALE_MAX, ".scale_max");
  matrix.scales = {source.keep<void>(EXL_PIECE_SCALES, ".scales"), from.scale_type};
  matrix.zero_codes = source.keep<uint32_t>(EXL_PIECE_ZERO_CODES, ".zeros");
  matrix.zero_offset = from.zero_offset;
  const std::vector<simple::PackedRow> rows = packed_rows(source);
  void* packed = source.allocate(false, rows.size() * sizeof rows[0], ".rows");
  device.write(packed, rows.data(), rows.size() * sizeof rows[0]);
  matrix.packed = static_cast<simple::PackedRow*>(packed);
  return weight.release();
}

}  // namespace exl::cuda
