#include "cuda/table.h"

#include <array>

#include "cuda/ops/ops.h"

namespace exl::cuda {

namespace {

// Those of kernels/ first: the simple ones take whatever they refuse.
constexpr std::array kKernels = {
    Kernel{"embed", "fast", fast_embed_refuses, nullptr, fast_embed},
    Kernel{"rms_norm", "fast", fast_rms_norm_refuses, nullptr, fast_rms_norm},
    Kernel{"layer_norm", "fast", fast_layer_norm_refuses, nullptr, fast_layer_norm},
    Kernel{"add", "fast", fast_add_refuses, nullptr, fast_add},
    Kernel{"silu_mul", "fast", fast_silu_mul_refuses, nullptr, fast_silu_mul},
    Kernel{"gather_rows", "fast", fast_gather_rows_refuses, nullptr, fast_gather_rows},
    Kernel{"rope_angles", "fast", fast_rope_angles_refuses, nullptr, fast_rope_angles},
    Kernel{"rope", "fast", fast_rope_refuses, nullptr, fast_rope},
    Kernel{"cache_write", "fast", fast_cache_write_refuses, nullptr, fast_cache_write},
    Kernel{"attention", "fast", fast_attention_refuses, fast_attention_scratch, fast_attention,
           nullptr, fast_attention_shared_bytes},
    Kernel{"linear", "fast quantised", fast_quant_linear_refuses, fast_quant_linear_scratch,
           nullptr, fast_quant_linear, fast_quant_linear_shared_bytes},
    Kernel{"linear", "fast half", fast_half_linear_refuses, nullptr, nullptr, fast_half_linear,
           fast_half_linear_shared_bytes},
    Kernel{"token_log_prob", "fast", fast_token_log_prob_refuses, nullptr, fast_token_log_prob},
    Kernel{"add_rms_norm", "fast", fast_add_rms_norm_refuses, nullptr, fast_add_rms_norm},
    Kernel{"add_layer_norm", "fast", fast_add_layer_norm_refuses, nullptr, fast_add_layer_norm},
    Kernel{"rope_cache_write", "fast", fast_rope_cache_write_refuses, nullptr,
           fast_rope_cache_write},
    Kernel{"top_k", "fast", fast_top_k_refuses, nullptr, fast_top_k},
    Kernel{"embed", "simple", simple_embed_refuses, nullptr, simple_embed},
    Kernel{"rms_norm", "simple", simple_rms_norm_refuses, nullptr, simple_rms_norm},
    Kernel{"layer_norm", "simple", simple_layer_norm_refuses, nullptr, simple_layer_norm},
    Kernel{"add", "simple", nullptr, nullptr, simple_add},
    Kernel{"silu_mul", "simple", nullptr, nullptr, simple_silu_mul},
    Kernel{"gather_rows", "simple", nullptr, nullptr, simple_gather_rows},
    Kernel{"rope_angles", "simple", simple_rope_angles_refuses, nullptr, simple_rope_angles},
    Kernel{"rope", "simple", nullptr, nullptr, simple_rope},
    Kernel{"cache_write", "simple", simple_cache_write_refuses, nullptr, simple_cache_write},
    Kernel{"attention", "simple", simple_attention_refuses, nullptr, simple_attention},
    Kernel{"linear", "simple quantised", simple_quant_linear_refuses, nullptr, simple_quant_linear},
    Kernel{"linear", "simple float", simple_float_linear_refuses, nullptr, simple_float_linear},
};

}  // namespace

std::span<const Kernel> kernels() { return kKernels; }

}  // namespace exl::cuda
