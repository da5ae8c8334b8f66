// The backend that forwards to a library.
#pragma once

#include <vector>

#include "library/library.h"
#include "library/slabs.h"

namespace exl {

// An opened device, for as long as anything lies on it.
class LibraryDevice : public DeviceMemory {
 public:
  LibraryDevice(std::shared_ptr<const Library> library, int index);
  ~LibraryDevice() override;

  void* take(Place place, size_t bytes, size_t* reserved, Kind kind, const std::string& label,
             const std::string& owner) override;
  size_t give(Place place, void* address, size_t reserved) override;
  void write(void* device, const void* host, size_t bytes) override;
  void upload(void* device, const void* host, size_t bytes) override;
  void download(void* host, const void* device, size_t bytes) override;
  void copy(void* to, const void* from, size_t bytes) override;
  void synchronize() override;

  // Calls a function of the library, after which something is under way.
  template <typename F>
  void start(const F& function, const std::string& where = {}) {
    under_way_ = true;
    ExlMessage message{};
    check_code(function(&message), message, where);
  }

  void started() { under_way_ = true; }

  // How steps are recorded. What fails once on a device is not tried again there.
  enum class Recordings { Overlapping, Plain, None };
  Recordings recordings() const { return recordings_; }
  void recording_failed(const Error& error);

  Notices notices;

  const ExlBackendApi& api() const { return *library_->api; }
  ExlDevice* device() const { return device_; }
  const ExlTraits& traits() const { return traits_; }
  const std::string& name() const { return name_; }

 private:
  // Null: there is not as much, and `objection` says so.
  void* allocate(int32_t memory, size_t bytes, size_t* reserved, std::string& objection);

  std::shared_ptr<const Library> library_;
  std::string name_;  // `cuda:0`
  ExlDevice* device_ = nullptr;
  ExlTraits traits_{};
  bool under_way_ = false;                           // on the engine thread
  Recordings recordings_ = Recordings::Overlapping;  // on the engine thread
  std::unique_ptr<Slabs> slabs_;                     // null: the driver takes what it is asked for
};

struct LibraryWeight : Weight {
  ~LibraryWeight() override;
  std::shared_ptr<LibraryDevice> device;
  std::vector<BufferPtr> buffers;
  ExlWeight* handle = nullptr;
};

std::shared_ptr<Weight> load_library_weight(const std::shared_ptr<LibraryDevice>& device,
                                            const WeightSource& source, const Allocator& allocate,
                                            const std::string& label);

// A call as the library sees it, for as long as the call stays as it is.
class LibraryCall {
 public:
  LibraryCall(const Call& call, void* scratch);
  LibraryCall(const LibraryCall&) = delete;
  const ExlCall* get() const { return &call_; }

 private:
  ExlCall call_{};
  std::vector<ExlInput> inputs_;
  std::vector<ExlLayerCache> caches_;
  std::vector<ExlTensor> outputs_;
  std::vector<const char*> attribute_names_;
};

std::unique_ptr<StepGraphs> make_library_graphs(std::shared_ptr<LibraryDevice> device);

// Ops of a device's program that run on the host: they fetch the logits first.
extern const Kernels host_kernels;

class LibraryBackend : public Backend {
 public:
  explicit LibraryBackend(std::shared_ptr<LibraryDevice> opened);

  const char* name() const override { return device->name().c_str(); }
  Dtype activation_type() const override { return Dtype(device->traits().activation_type); }
  Dtype cache_type() const override { return Dtype(device->traits().cache_type); }
  Kernels kernels() const override { return host_kernels; }
  std::shared_ptr<DeviceMemory> memory() const override { return device; }
  std::unique_ptr<StepGraphs> make_graphs() override {
    return device->traits().records ? make_library_graphs(device) : nullptr;
  }
  const Kernel* find_kernel(Call& call, std::string& objections) const override;
  std::shared_ptr<Weight> load(const WeightSource& source, const Allocator& allocate,
                               const std::string& label) override;

  Notices& notices() override { return device->notices; }

  const std::shared_ptr<LibraryDevice> device;
};

}  // namespace exl
