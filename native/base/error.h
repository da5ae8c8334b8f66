// The one exception type of the native code, and the codes it shares with lib/errors/codes.ts.
#pragma once

#include <stdexcept>
#include <string>

namespace exl {

// In the order of lib/errors/codes.ts; a test compares the two.
enum class Code {
  ModelNotFound,
  ModelInvalid,
  ModelUnsupported,
  FormatInvalid,
  FormatUnsupported,
  ShapeMismatch,
  UnsupportedOp,
  InvalidArgument,
  OutOfMemory,
  CacheFull,
  ContextLength,
  DownloadFailed,
  DownloadDenied,
  DownloadCorrupt,
  DiskFull,
  DeviceUnavailable,
  DeviceLost,
  Disposed,
  Aborted,
  NativeNotFound,
  IsolateExited,
  Internal,
};

// `EXL_...`, as JavaScript sees it.
const char* code_name(Code code);
inline constexpr int kCodeCount = int(Code::Internal) + 1;

struct Error : std::runtime_error {
  // `where` is a path of names such as `model.layers.3.mlp.gate_proj`.
  Error(Code code_, const std::string& message, std::string where_ = {})
      : std::runtime_error(message), code(code_), where(std::move(where_)) {}

  Code code;
  std::string where;
};

}  // namespace exl
