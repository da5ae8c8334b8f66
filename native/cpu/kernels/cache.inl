// Codes of keys and values, as core/cache.h defines them.

constexpr int code_bits(CodeType type) {
  return type == CodeType::F16 ? 16 : type == CodeType::Int4 ? 4 : 8;
}
constexpr bool has_scales(CodeType type) {
  return type == CodeType::Int8 || type == CodeType::Int4;
}

// 16 elements, without their scale, from element `at` on, which is even where two share a byte.
template <CodeType kType>
inline Floats load_codes(const std::byte* codes, int64_t at) {
  const auto* p = reinterpret_cast<const uint8_t*>(codes) + at * code_bits(kType) / 8;
  if constexpr (kType == CodeType::F16) return load_half(reinterpret_cast<const uint16_t*>(p));
  if constexpr (kType == CodeType::E5M2) return load_e5m2(p);
  if constexpr (kType == CodeType::Int8) return load_int8(p);
  if constexpr (kType == CodeType::Int4) return load_int4(p);
}

// The first `count` of them.
template <CodeType kType>
inline Floats load_codes_partial(const std::byte* codes, int64_t at, int count) {
  std::byte some[32] = {};
  memcpy(some, codes + at * code_bits(kType) / 8, size_t(count * code_bits(kType) / 8));
  return load_codes<kType>(some, 0);
}

// x <- H x in every group of `group` elements, in natural order.
inline void rotate(float* x, int64_t count, int64_t group) {
  for (int64_t half = 1; half < group; half *= 2)
    for (int64_t first = 0; first < count; first += 2 * half)
      for (int64_t i = first; i < first + half; i++) {
        const float low = x[i], high = x[i + half];
        x[i] = low + high;
        x[i + half] = low - high;
      }
}

inline uint8_t narrow_e5m2(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  const uint32_t magnitude = bits & 0x7fffffff;
  const uint32_t sign = bits >> 24 & 0x80;
  if (magnitude > 0x7f800000) return uint8_t(sign | 0x7f);
  if (magnitude >= 0x47600000) return uint8_t(sign | 0x7b);  // 57344 and above
  if (magnitude < 0x38800000) {
    // Below 2^-14 steps are 2^-16, the distance between floats from 128 on.
    float sum;
    memcpy(&sum, &magnitude, 4);
    sum += 128;
    memcpy(&bits, &sum, 4);
    return uint8_t(sign | (bits - 0x43000000));
  }
  const uint32_t odd = magnitude >> 21 & 1;
  return uint8_t(sign | ((magnitude - 0x38000000 + 0xfffff + odd) >> 21));
}

// A float as a half and back.
inline float store_scale(float scale, uint16_t* to) {
  uint16_t halves[16];
  float back[16];
  store_half(halves, set(scale));
  store(back, load_half(halves));
  *to = halves[0];
  return back[0];
}

// The codes of one rotated group of 8, 16 or 32 elements; 4 bits are not packed yet.
inline void quantise_group(const float* x, int64_t group, bool four, int8_t* codes,
                           uint16_t* scale) {
  // NaN stays the largest, once met.
  float largest = 0;
  for (int64_t i = 0; i < group; i++) {
    const float magnitude = fabsf(x[i]);
    if (!(magnitude <= largest)) largest = magnitude;
  }
  const float wanted = largest / (four ? 15.0f : 127.0f);
  const float step = store_scale(wanted > 65504 ? 65504 : wanted, scale);
  const Floats divisor = set(step > 0 ? step : INFINITY);
  for (int64_t i = 0; i < group; i += 16) {
    const Floats some = group < 16 ? load_partial(x, int(group)) : load(x + i);
    Floats code = div(some, divisor);
    if (four) code = mul(add(code, set(15)), set(0.5f));
    const float least = four ? 0 : -127, most = four ? 15 : 127;
    int8_t bytes[16];
    store_int8(bytes, to_ints(min(max(code, set(least)), set(most))));
    memcpy(codes + i, bytes, size_t(group < 16 ? group : 16));
  }
}

void encode(CodeType type, int64_t group, const float* x, int64_t dim, void* codes,
            uint16_t* scales) {
  if (type == CodeType::F16) {
    auto* halves = static_cast<uint16_t*>(codes);
    int64_t i = 0;
    for (; i + 16 <= dim; i += 16) store_half(halves + i, load(x + i));
    uint16_t rest[16];
    store_half(rest, load_partial(x + i, int(dim - i)));
    for (int64_t k = i; k < dim; k++) halves[k] = rest[k - i];
    return;
  }
  auto* bytes = static_cast<uint8_t*>(codes);
  if (type == CodeType::E5M2) {
    for (int64_t i = 0; i < dim; i++) bytes[i] = narrow_e5m2(x[i]);
    return;
  }
  const bool four = type == CodeType::Int4;
  float rotated[256];
  int8_t wide[256];
  for (int64_t i = 0; i < dim; i++) rotated[i] = x[i];
  rotate(rotated, dim, group);
  for (int64_t i = 0; i < dim; i += group)
    quantise_group(rotated + i, group, four, wide + i, scales + i / group);
  if (!four) memcpy(bytes, wide, size_t(dim));
  if (four)
    for (int64_t i = 0; i < dim; i += 2) bytes[i / 2] = uint8_t(wide[i] | wide[i + 1] << 4);
}
