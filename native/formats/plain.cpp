#include "formats/format.h"

namespace exl {

const Format formats::plain{
    .name = "float",
    .formula = "w = data",
    .shape = "size|out in",
    .pieces = {{"data", "F32|F16|BF16", "size|out in"}},
};

}  // namespace exl
