// From calls to the parameters of launchers, a file per family of kernels.
#pragma once

#include "cuda/call.h"

namespace exl::cuda {

// Of kernels/: best first, but they do not take everything.
std::string fast_embed_refuses(const ExlCall&);
void fast_embed(Stream, const ExlCall&);
std::string fast_rms_norm_refuses(const ExlCall&);
void fast_rms_norm(Stream, const ExlCall&);
std::string fast_layer_norm_refuses(const ExlCall&);
void fast_layer_norm(Stream, const ExlCall&);
std::string fast_add_refuses(const ExlCall&);
void fast_add(Stream, const ExlCall&);
std::string fast_silu_mul_refuses(const ExlCall&);
void fast_silu_mul(Stream, const ExlCall&);
std::string fast_gather_rows_refuses(const ExlCall&);
void fast_gather_rows(Stream, const ExlCall&);
std::string fast_rope_angles_refuses(const ExlCall&);
void fast_rope_angles(Stream, const ExlCall&);
std::string fast_rope_refuses(const ExlCall&);
void fast_rope(Stream, const ExlCall&);
std::string fast_cache_write_refuses(const ExlCall&);
void fast_cache_write(Stream, const ExlCall&);
std::string fast_attention_refuses(const ExlCall&);
void fast_attention(Stream, const ExlCall&);
uint64_t fast_attention_scratch(const ExlCall&);
int64_t fast_attention_shared_bytes(const ExlCall&);
std::string fast_half_linear_refuses(const ExlCall&);
int64_t fast_half_linear_shared_bytes(const ExlCall&);
void fast_half_linear(Stream, Calls);
std::string fast_quant_linear_refuses(const ExlCall&);
void fast_quant_linear(Stream, Calls);
uint64_t fast_quant_linear_scratch(const ExlCall&);
int64_t fast_quant_linear_shared_bytes(const ExlCall&);
std::string fast_token_log_prob_refuses(const ExlCall&);
void fast_token_log_prob(Stream, const ExlCall&);
std::string fast_add_rms_norm_refuses(const ExlCall&);
void fast_add_rms_norm(Stream, const ExlCall&);
std::string fast_add_layer_norm_refuses(const ExlCall&);
void fast_add_layer_norm(Stream, const ExlCall&);
std::string fast_rope_cache_write_refuses(const ExlCall&);
void fast_rope_cache_write(Stream, const ExlCall&);
std::string fast_top_k_refuses(const ExlCall&);
void fast_top_k(Stream, const ExlCall&);

// Of simple/.
std::string simple_embed_refuses(const ExlCall&);
void simple_embed(Stream, const ExlCall&);
void simple_gather_rows(Stream, const ExlCall&);
void simple_add(Stream, const ExlCall&);
void simple_silu_mul(Stream, const ExlCall&);
std::string simple_rms_norm_refuses(const ExlCall&);
void simple_rms_norm(Stream, const ExlCall&);
std::string simple_layer_norm_refuses(const ExlCall&);
void simple_layer_norm(Stream, const ExlCall&);
std::string simple_rope_angles_refuses(const ExlCall&);
void simple_rope_angles(Stream, const ExlCall&);
void simple_rope(Stream, const ExlCall&);
std::string simple_float_linear_refuses(const ExlCall&);
void simple_float_linear(Stream, const ExlCall&);
std::string simple_quant_linear_refuses(const ExlCall&);
void simple_quant_linear(Stream, const ExlCall&);
std::string simple_cache_write_refuses(const ExlCall&);
void simple_cache_write(Stream, const ExlCall&);
std::string simple_attention_refuses(const ExlCall&);
void simple_attention(Stream, const ExlCall&);

}  // namespace exl::cuda
