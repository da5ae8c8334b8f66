#include "base/error.h"

namespace exl {

const char* code_name(Code code) {
  static constexpr const char* names[kCodeCount] = {
      "EXL_MODEL_NOT_FOUND",
      "EXL_MODEL_INVALID",
      "EXL_MODEL_UNSUPPORTED",
      "EXL_FORMAT_INVALID",
      "EXL_FORMAT_UNSUPPORTED",
      "EXL_SHAPE_MISMATCH",
      "EXL_UNSUPPORTED_OP",
      "EXL_INVALID_ARGUMENT",
      "EXL_OUT_OF_MEMORY",
      "EXL_CACHE_FULL",
      "EXL_CONTEXT_LENGTH",
      "EXL_DOWNLOAD_FAILED",
      "EXL_DOWNLOAD_DENIED",
      "EXL_DOWNLOAD_CORRUPT",
      "EXL_DISK_FULL",
      "EXL_DEVICE_UNAVAILABLE",
      "EXL_DEVICE_LOST",
      "EXL_DISPOSED",
      "EXL_ABORTED",
      "EXL_NATIVE_NOT_FOUND",
      "EXL_ISOLATE_EXITED",
      "EXL_INTERNAL",
  };
  return names[int(code)];
}

}  // namespace exl
