// A layer's cache in any code, as tests write, read and decode it.
#pragma once

#include <vector>

#include "cuda/kernels/kernels.h"
#include "test/emulator/test.h"

namespace exl::test {

inline bool is_rotated(cuda::CacheCode code) {
  return code == cuda::CacheCode::Int8 || code == cuda::CacheCode::Int4;
}

// x = H x over 32 elements, by its definition.
inline void hadamard(double* x) {
  double y[32] = {};
  for (unsigned i = 0; i < 32; i++)
    for (unsigned j = 0; j < 32; j++) y[i] += __builtin_popcount(i & j) % 2 ? -x[j] : x[j];
  std::copy_n(y, 32, x);
}

struct TestCache {
  TestCache(int heads, int head_dim, cuda::CacheCode for_keys, cuda::CacheCode for_values,
            int page_count)
      : key_heads(heads), dim(head_dim), key_code(for_keys), value_code(for_values) {
    elements = size_t(page_count) * size_t(heads) * 256 * size_t(head_dim);
    // NaN in every code that has one: a token nobody wrote must not be looked at.
    keys.assign(elements * bits(key_code) / 8, 0xff);
    values.assign(elements * bits(value_code) / 8, 0xff);
    key_scales = unset_halves(is_rotated(key_code) ? elements / 32 : 0);
    value_scales = unset_halves(is_rotated(value_code) ? elements / 32 : 0);
  }

  static size_t bits(cuda::CacheCode code) {
    return code == cuda::CacheCode::F16 ? 16 : code == cuda::CacheCode::Int4 ? 4 : 8;
  }

  cuda::LayerPages pages() {
    return {keys.data(), values.data(), key_heads,         dim,
            key_code,    value_code,    key_scales.data(), value_scales.data()};
  }

  void write(const std::vector<half>& k, const std::vector<half>& v, const cuda::StepRows& step,
             int64_t rows) {
    const cuda::RopeCacheWriteParams params{.k = k.data(),
                                            .v = v.data(),
                                            .k_stride = key_heads * dim,
                                            .rows = rows,
                                            .key_heads = key_heads,
                                            .dim = dim,
                                            .cache = pages(),
                                            .step = step};
    check(cuda::rope_cache_write_refuses(params).empty(), "the cache write is not refused");
    emulate([&] { cuda::rope_cache_write(nullptr, params); }, k, v);
  }

  // Every element, rotated back.
  std::vector<double> decoded(const std::vector<uint8_t>& codes, const std::vector<half>& scales,
                              cuda::CacheCode code) const {
    std::vector<double> x(elements);
    for (size_t i = 0; i < elements; i++) x[i] = stored(codes, scales, code, i);
    if (is_rotated(code))
      for (size_t i = 0; i < elements; i += 32) {
        hadamard(&x[i]);
        for (size_t j = i; j < i + 32; j++) x[j] /= 32;
      }
    return x;
  }

  // One element as it is stored, in the rotated domain where there is one.
  static double stored(const std::vector<uint8_t>& codes, const std::vector<half>& scales,
                       cuda::CacheCode code, size_t i) {
    switch (code) {
      case cuda::CacheCode::F16: {
        uint16_t half_bits;
        std::memcpy(&half_bits, &codes[2 * i], 2);
        return double(half_to_float(half_bits));
      }
      case cuda::CacheCode::E5M2:
        return double(half_to_float(uint16_t(codes[i] << 8)));
      case cuda::CacheCode::Int8:
        return value(scales[i / 32]) * int8_t(codes[i]);
      default:
        return value(scales[i / 32]) * (2 * (codes[i / 2] >> (i % 2 * 4) & 15) - 15);
    }
  }

  int key_heads, dim;
  cuda::CacheCode key_code, value_code;
  size_t elements;
  std::vector<uint8_t> keys, values;
  std::vector<half> key_scales, value_scales;
};

}  // namespace exl::test
