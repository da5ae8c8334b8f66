// The functions of the driver that are used, as a table: found in libcuda when a device is first
// asked for, or put there by a test. Types and values are those of cuda.h, which need not be there.
#pragma once

#include <cstddef>
#include <string>

struct CUctx_st;
struct CUstream_st;
struct CUgraph_st;
struct CUgraphExec_st;

namespace exl::cuda {

using Result = int;  // CUresult, and cudaError_t: the values are the same
using Context = CUctx_st*;
using Stream = CUstream_st*;
using Graph = CUgraph_st*;
using GraphExec = CUgraphExec_st*;
using Address = unsigned long long;

inline constexpr Result kSuccess = 0;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kNoDevice = 100;

inline constexpr int kMajor = 75, kMinor = 76, kBlockSharedBytes = 97;  // device attributes
inline constexpr unsigned kNonBlocking = 1;                             // stream flag
inline constexpr int kCaptureThreadLocal = 1;  // other threads may allocate meanwhile

// Field, name in libcuda, parameters.
#define EXL_DRIVER_FUNCTIONS(F)                                                                    \
  F(init, "cuInit", (unsigned flags))                                                              \
  F(driver_version, "cuDriverGetVersion", (int* version))                                          \
  F(error_name, "cuGetErrorName", (Result result, const char** name))                              \
  F(error_text, "cuGetErrorString", (Result result, const char** text))                            \
  F(device_count, "cuDeviceGetCount", (int* count))                                                \
  F(device_name, "cuDeviceGetName", (char* name, int length, int device))                          \
  F(device_bus_id, "cuDeviceGetPCIBusId", (char* id, int length, int device))                      \
  F(device_bytes, "cuDeviceTotalMem_v2", (size_t* bytes, int device))                              \
  F(device_attribute, "cuDeviceGetAttribute", (int* value, int attribute, int device))             \
  F(context_retain, "cuDevicePrimaryCtxRetain", (Context * context, int device))                   \
  F(context_release, "cuDevicePrimaryCtxRelease_v2", (int device))                                 \
  F(context_push, "cuCtxPushCurrent_v2", (Context context))                                        \
  F(context_pop, "cuCtxPopCurrent_v2", (Context * context))                                        \
  F(memory_info, "cuMemGetInfo_v2", (size_t* free, size_t* total))                                 \
  F(memory_allocate, "cuMemAlloc_v2", (Address * address, size_t bytes))                           \
  F(memory_free, "cuMemFree_v2", (Address address))                                                \
  F(memory_set, "cuMemsetD8Async", (Address to, unsigned char value, size_t bytes, Stream stream)) \
  F(pinned_allocate, "cuMemAllocHost_v2", (void** address, size_t bytes))                          \
  F(pinned_free, "cuMemFreeHost", (void* address))                                                 \
  F(upload, "cuMemcpyHtoDAsync_v2", (Address to, const void* from, size_t bytes, Stream stream))   \
  F(download, "cuMemcpyDtoHAsync_v2", (void* to, Address from, size_t bytes, Stream stream))       \
  F(copy, "cuMemcpyDtoDAsync_v2", (Address to, Address from, size_t bytes, Stream stream))         \
  F(stream_create, "cuStreamCreate", (Stream * stream, unsigned flags))                            \
  F(stream_destroy, "cuStreamDestroy_v2", (Stream stream))                                         \
  F(stream_synchronize, "cuStreamSynchronize", (Stream stream))                                    \
  F(capture_begin, "cuStreamBeginCapture_v2", (Stream stream, int mode))                           \
  F(capture_end, "cuStreamEndCapture", (Stream stream, Graph * graph))                             \
  F(graph_instantiate, "cuGraphInstantiateWithFlags",                                              \
    (GraphExec * exec, Graph graph, unsigned long long flags))                                     \
  F(graph_launch, "cuGraphLaunch", (GraphExec exec, Stream stream))                                \
  F(graph_destroy, "cuGraphDestroy", (Graph graph))                                                \
  F(graph_exec_destroy, "cuGraphExecDestroy", (GraphExec exec))

// A __global__ function, by its address on the host.
using Function = const void*;

// Of the code that the current device runs.
struct FunctionInfo {
  int ptx_version = 0;  // what it was compiled from: 80 is compute_80
  size_t static_shared_bytes = 0;
};

struct Launch {
  Function function;
  unsigned grid[3], block[3];
  size_t shared_bytes;
  Stream stream;
  void** arguments;  // the addresses of its parameters
};

struct Driver {
#define EXL_FIELD(field, name, parameters) Result(*field) parameters;
  EXL_DRIVER_FUNCTIONS(EXL_FIELD)
#undef EXL_FIELD

  // Those of the run time, in the context of the calling thread.
  Result (*function_info)(Function function, FunctionInfo* info);
  // What a block may ask for at a launch, and the share of a multiprocessor's memory that is shared
  // memory.
  Result (*function_shared)(Function function, int most_bytes, int percent);
  // `overlaps`: it may start before what was launched before it has ended.
  Result (*launch)(const Launch& launch, bool overlaps);

  // Free memory of a device that has no context here; false: it cannot be told.
  bool (*free_bytes)(const char* bus_id, size_t* bytes);
  // Of device memory, in multiples of which allocations of at least half of it are made.
  size_t page_bytes;
  // The oldest driver that runs this build: 12040 is CUDA 12.4.
  int required_version;
};

extern const char* const kKind;   // of the devices: "cuda"
extern const char* const kBuild;  // for a person: "CUDA 13.0 for sm_80"

// Opened once and kept. Null if there is none; `reason` says why.
const Driver* find_driver(std::string& reason);

}  // namespace exl::cuda
