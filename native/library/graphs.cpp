#include <algorithm>
#include <map>
#include <optional>

#include "library/backend.h"

namespace exl {

namespace {

// A graph of a large model holds some MiB of device memory that is not on the ledger.
constexpr size_t kMostGraphs = 32;

class LibraryGraphs : public StepGraphs {
 public:
  explicit LibraryGraphs(std::shared_ptr<LibraryDevice> device) : device_(std::move(device)) {}

  ~LibraryGraphs() override {
    for (const auto& [size, entry] : entries_) free(entry);
  }

  // The first step of a size is launched op by op: it may never come again, and loading a kernel,
  // which its first launch may do, cannot be recorded.
  void run(const StepSize& size, const std::function<void()>& launch) override {
    const auto known = entries_.find(size);
    if (known == entries_.end()) {
      launch();
      make_room();
      entries_[size] = {nullptr, ++clock_};
      return;
    }
    Entry& entry = known->second;
    entry.used = ++clock_;
    if (!entry.graph && device_->recordings() == LibraryDevice::Recordings::None) return launch();
    const std::optional<Error> refusal = replay(entry, launch);
    if (!refusal) return;
    launch();  // throws where the fault is not the recording's
    device_->recording_failed(*refusal);
  }

 private:
  struct Entry {
    ExlGraph* graph;
    uint64_t used;
  };

  // Runs the graph of a step, which it records if there is none; or says why the step has not
  // begun.
  std::optional<Error> replay(Entry& entry, const std::function<void()>& launch) {
    try {
      if (!entry.graph) entry.graph = record(launch);
      device_->start([&](ExlMessage* m) {
        return device_->api().graph_launch(device_->device(), entry.graph, m);
      });
      return {};
    } catch (const Error& error) {
      if (error.code == Code::DeviceLost) throw;
      free(entry);
      entry.graph = nullptr;
      return error;
    }
  }

  // Ends the recording also when a launch throws, and once more when it does not end.
  struct Recording {
    LibraryDevice& device;
    ExlGraph* graph = nullptr;
    bool open = true;

    ExlCode end(ExlMessage* message) {
      const ExlCode code = device.api().capture_end(device.device(), &graph, message);
      open = code != EXL_OK;
      return code;
    }
    ~Recording() {
      ExlMessage ignored{};
      if (open && end(&ignored) == EXL_OK) device.api().graph_free(device.device(), graph);
    }
  };

  ExlGraph* record(const std::function<void()>& launch) {
    const bool overlap = device_->recordings() == LibraryDevice::Recordings::Overlapping;
    device_->start(
        [&](ExlMessage* m) { return device_->api().capture_begin(device_->device(), overlap, m); });
    Recording recording{*device_};
    launch();
    device_->start([&](ExlMessage* m) { return recording.end(m); });
    return recording.graph;
  }

  void make_room() {
    if (entries_.size() < kMostGraphs) return;
    const auto oldest = std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    free(oldest->second);
    entries_.erase(oldest);
  }

  void free(const Entry& entry) {
    if (entry.graph) device_->api().graph_free(device_->device(), entry.graph);
  }

  std::shared_ptr<LibraryDevice> device_;
  std::map<StepSize, Entry> entries_;
  uint64_t clock_ = 0;
};

}  // namespace

std::unique_ptr<StepGraphs> make_library_graphs(std::shared_ptr<LibraryDevice> device) {
  return std::make_unique<LibraryGraphs>(std::move(device));
}

}  // namespace exl
