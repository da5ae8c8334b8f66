// Every weight format there is.
#include "base/error.h"
#include "formats/format.h"

namespace exl {

std::span<const Format* const> all_formats() {
  static constexpr const Format* list[] = {&formats::plain, &formats::exl2, &formats::gptq};
  return list;
}

const Format& find_format(std::string_view name) {
  for (const Format* format : all_formats())
    if (format->name == name) return *format;
  throw Error(Code::FormatUnsupported, "there is no weight format named " + std::string(name));
}

}  // namespace exl
