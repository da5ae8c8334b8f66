#include <algorithm>
#include <exception>

#include "base/error.h"
#include "library/backend.h"

namespace exl {

namespace {

// Two blocks of this size: one is filled from the file while the other travels.
constexpr size_t kBlockBytes = size_t(4) << 20;

// What is lent to the library while it loads one weight.
class Load {
 public:
  Load(LibraryDevice& device, const Allocator& allocate, LibraryWeight& weight,
       const std::string& label)
      : device_(device), allocate_(allocate), weight_(weight), label_(label) {
    source_.label = label_.c_str();
    source_.context = this;
    source_.allocate = allocate_for_library;
    source_.copy = copy_for_library;
    source_.fetch = fetch_for_library;
  }

  void describe(const WeightSource& from) {
    weight_.shape = from.shape;
    source_.rank = int32_t(from.shape.size());
    for (size_t i = 0; i < from.shape.size(); i++) source_.dims[i] = from.shape[i];
    if (from.format->affine)
      describe_affine(from);
    else
      describe_plain(from.piece("data"));
  }

  void describe_plain(const WeightPiece& data) {
    source_.dtype = int32_t(data.dtype);
    add_piece(EXL_PIECE_DATA, data.bytes);
  }

  void describe_affine(const WeightSource& from) {
    const AffineMatrix matrix(from);
    source_.quantised = 1;
    for (const QuantGroup& group : matrix.groups)
      groups_.push_back({group.bits, int32_t(group.rows)});
    source_.groups = groups_.data();
    source_.group_count = int32_t(groups_.size());
    for (const CodePlace& place : matrix.places)
      places_.push_back(int32_t(place.word * 32 + place.shift));
    features_ = matrix.features;
    scales_ = matrix.scales(allocate_, Kind::Staging, label_ + ".staging");

    add_piece(EXL_PIECE_CODES, matrix.codes);
    add_piece(EXL_PIECE_PLACES, in_memory(places_.data(), places_.size() * sizeof(int32_t)));
    add_piece(EXL_PIECE_SCALES, in_memory(scales_.scale->data(), scales_.scale->size()));
    if (matrix.has_zeros)
      add_piece(EXL_PIECE_ZEROS, in_memory(scales_.zero->data(), scales_.zero->size()));
    add_piece(EXL_PIECE_FEATURES, in_memory(features_.data(), features_.size() * sizeof(int32_t)));
  }

  void run() {
    ExlMessage message{};
    device_.started();
    const ExlCode code =
        device_.api().weight_load(device_.device(), &source_, &weight_.handle, &message);
    if (failure_) std::rethrow_exception(failure_);
    check_code(code, message, label_);
    device_.synchronize();  // staging is freed now
  }

 private:
  // Of what lives as long as this.
  static ByteSource in_memory(const void* data, size_t bytes) {
    ByteSource source;
    source.length = bytes;
    source.memory = std::shared_ptr<const std::byte>(std::shared_ptr<void>(),
                                                     static_cast<const std::byte*>(data));
    return source;
  }

  void add_piece(int piece, ByteSource from) {
    source_.piece_bytes[piece] = from.length;
    pieces_[size_t(piece)] = std::move(from);
  }

  // An exception may not cross the library: it waits here until the library has returned.
  template <typename F>
  static ExlCode guarded(void* context, const F& run) {
    Load& load = *static_cast<Load*>(context);
    try {
      run(load);
      return EXL_OK;
    } catch (...) {
      load.failure_ = std::current_exception();
      return EXL_HOST_FAILED;
    }
  }

  static ExlCode allocate_for_library(void* context, int32_t staging, uint64_t bytes,
                                      const char* suffix, void** address) {
    return guarded(context, [&](Load& load) {
      const std::string label = load.label_ + suffix;
      auto& buffers = staging ? load.staging_ : load.weight_.buffers;
      buffers.push_back(staging ? load.allocate_.device_staging(bytes, label)
                                : load.allocate_(bytes, Kind::Weights, label));
      *address = buffers.back()->data();
    });
  }

  static ExlCode copy_for_library(void* context, int32_t piece, uint64_t offset, uint64_t bytes,
                                  void* target) {
    return guarded(context, [&](Load& load) {
      load.copy(load.pieces_.at(size_t(piece)), offset, bytes, static_cast<std::byte*>(target));
    });
  }

  static ExlCode fetch_for_library(void* context, int32_t piece, void* target) {
    return guarded(context, [&](Load& load) {
      const ByteSource& from = load.pieces_.at(size_t(piece));
      from.read(0, target, from.length);
    });
  }

  void copy(const ByteSource& from, uint64_t offset, uint64_t bytes, std::byte* target) {
    if (from.memory) {
      if (bytes > from.length || offset > from.length - bytes)
        throw Error(Code::FormatInvalid, "a piece of a weight ends early", label_);
      if (bytes) device_.write(target, from.memory.get() + offset, bytes);
      return;
    }
    std::vector<BufferPtr>& blocks = from.loader->pinned_blocks();
    while (blocks.size() < 2) blocks.push_back(allocate_.pinned(kBlockBytes, "loader.pinned"));
    for (uint64_t at = 0; at < bytes; at += kBlockBytes) {
      const size_t count = size_t(std::min<uint64_t>(kBlockBytes, bytes - at));
      std::swap(blocks[0], blocks[1]);
      from.read(offset + at, blocks[0]->data(), count);
      device_.synchronize();  // the block before has arrived
      device_.upload(target + at, blocks[0]->data(), count);
    }
  }

  LibraryDevice& device_;
  const Allocator& allocate_;
  LibraryWeight& weight_;
  const std::string label_;
  ExlWeightSource source_{};
  std::vector<ExlGroup> groups_;
  std::vector<int32_t> places_, features_;
  GroupScales scales_;
  std::array<ByteSource, EXL_PIECES> pieces_;
  std::vector<BufferPtr> staging_;
  std::exception_ptr failure_;
};

}  // namespace

LibraryWeight::~LibraryWeight() {
  if (handle) device->api().weight_free(handle);
}

std::shared_ptr<Weight> load_library_weight(const std::shared_ptr<LibraryDevice>& device,
                                            const WeightSource& source, const Allocator& allocate,
                                            const std::string& label) {
  auto weight = std::make_shared<LibraryWeight>();
  weight->device = device;
  Load load(*device, allocate, *weight, label);
  load.describe(source);
  load.run();
  return weight;
}

}  // namespace exl
