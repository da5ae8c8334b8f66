#include "cuda/table.h"

#include <array>

#include "cuda/ops/ops.h"

namespace exl::cuda {

namespace {

// A fast kernel goes before the simple one of its op.
constexpr std::array kKernels = {
    Kernel{"embed", "simple", simple_embed_refuses, nullptr, simple_embed},
    Kernel{"rms_norm", "simple", simple_rms_norm_refuses, nullptr, simple_rms_norm},
    Kernel{"linear", "simple quantised", simple_quant_linear_refuses, nullptr, simple_quant_linear},
    Kernel{"linear", "simple float", simple_float_linear_refuses, nullptr, simple_float_linear},
    Kernel{"rope_angles", "simple", simple_rope_angles_refuses, nullptr, simple_rope_angles},
    Kernel{"rope", "simple", nullptr, nullptr, simple_rope},
    Kernel{"cache_write", "simple", simple_cache_write_refuses, nullptr, simple_cache_write},
    Kernel{"attention", "simple", simple_attention_refuses, nullptr, simple_attention},
    Kernel{"add", "simple", nullptr, nullptr, simple_add},
    Kernel{"silu_mul", "simple", nullptr, nullptr, simple_silu_mul},
    Kernel{"gather_rows", "simple", nullptr, nullptr, simple_gather_rows},
};

}  // namespace

std::span<const Kernel> kernels() { return kKernels; }

}  // namespace exl::cuda
