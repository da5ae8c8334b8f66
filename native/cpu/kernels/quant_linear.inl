// Quantised matrix multiply: activations in two bytes times codes, one column per lane, so nothing
// is summed across lanes. A chunk of 32 rows is two integer dot products; `low` starts at
// -zero * sum(activations), which subtracts the zero point from every code at once. Sums stay below
// 2^30 for 8-bit codes and full-scale activations. Each output is accumulated in the same order
// whatever the number of rows.

// Codes of rows [4 i, 4 i + 4) of a chunk, from planes of 4, 2 and 1 bits (see pack.h).
template <int kBits, int i>
inline Bytes codes_of(const std::byte* chunk) {
  constexpr int vector = 64;
  const auto plane4 = [&] { return load_bytes(chunk + i / 2 * vector); };
  if constexpr (kBits == 8) return load_bytes(chunk + i * vector);
  if constexpr (kBits == 4) return shift_mask<i % 2 * 4>(plane4(), 15);
  if constexpr (kBits == 2) return shift_mask<i % 4 * 2>(load_bytes(chunk + i / 4 * vector), 3);
  if constexpr (kBits == 3) {
    const Bytes low = shift_mask<i % 4 * 2>(load_bytes(chunk + i / 4 * vector), 3);
    return either(low, shift_mask<i - 2>(load_bytes(chunk + 2 * vector), 1 << 2));
  }
  if constexpr (kBits == 5)
    return either(shift_mask<i % 2 * 4>(plane4(), 15),
                  shift_mask<i - 4>(load_bytes(chunk + 4 * vector), 1 << 4));
  if constexpr (kBits == 6)
    return either(shift_mask<i % 2 * 4>(plane4(), 15),
                  shift_mask<i % 4 * 2 - 4>(load_bytes(chunk + (4 + i / 4) * vector), 3 << 4));
}

template <int kBits, int kRows, int i>
inline void accumulate(Ints (&high)[kRows], Ints (&low)[kRows], const std::byte* chunk,
                       const int8_t* activations, int64_t row_bytes) {
  const Bytes codes = codes_of<kBits, i>(chunk);
  const auto add_dot = [&](Ints sum, const int8_t* four) {
    return kBits == 8 ? dot_wide(sum, codes, broadcast4(four)) : dot(sum, codes, broadcast4(four));
  };
  for (int r = 0; r < kRows; r++) {
    const int8_t* four = activations + r * row_bytes + 4 * i;
    high[r] = add_dot(high[r], four);
    low[r] = add_dot(low[r], four + kChunk);
  }
}

template <int kBits, int kRows>
inline const std::byte* quant_group(const QuantLinear& a, const std::byte* codes, int64_t chunks,
                                    int64_t first_chunk, int64_t row, Floats scale, Ints zero,
                                    Floats (&sum)[kRows]) {
  const int64_t row_bytes = a.chunks * 2 * kChunk;
  const Ints minus_zero = mul_int(zero, set_int(-1));
  for (int64_t c = first_chunk; c < first_chunk + chunks; c++, codes += kBits * 64) {
    const int8_t* activations = a.activations + row * row_bytes + c * 2 * kChunk;
    Ints high[kRows], low[kRows];
    for (int r = 0; r < kRows; r++) {
      high[r] = set_int(0);
      low[r] = mul_int(minus_zero, set_int(a.sums[(row + r) * a.chunks + c]));
    }
    accumulate<kBits, kRows, 0>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 1>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 2>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 3>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 4>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 5>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 6>(high, low, codes, activations, row_bytes);
    accumulate<kBits, kRows, 7>(high, low, codes, activations, row_bytes);
    for (int r = 0; r < kRows; r++) {
      const Floats total = to_floats(add_int(shift_left<8>(high[r]), low[r]));
      sum[r] = fma(total, mul(scale, set(a.steps[(row + r) * a.chunks + c])), sum[r]);
    }
  }
  return codes;
}

template <int kRows>
inline void quant_tile(const QuantLinear& a, int64_t tile, int64_t row) {
  Floats sum[kRows];
  for (int r = 0; r < kRows; r++) sum[r] = set(0);
  const std::byte* codes = a.codes + tile * a.tile_bytes;
  int64_t chunk = 0;
  for (int64_t g = 0; g < a.group_count; g++) {
    const QuantLinear::Group& group = a.groups[g];
    const int64_t lanes = (tile * a.group_count + g) * kTile;
    const Floats scale = load_half(a.scales + lanes);
    const Ints zero = a.zeros ? load_ints(a.zeros + lanes) : set_int(group.zero);
    const auto run = [&]<int kBits>() {
      codes = quant_group<kBits, kRows>(a, codes, group.chunks, chunk, row, scale, zero, sum);
    };
    switch (group.bits) {
      case 2:
        run.template operator()<2>();
        break;
      case 3:
        run.template operator()<3>();
        break;
      case 4:
        run.template operator()<4>();
        break;
      case 5:
        run.template operator()<5>();
        break;
      case 6:
        run.template operator()<6>();
        break;
      case 8:
        run.template operator()<8>();
        break;
    }
    chunk += group.chunks;
  }

  const int64_t column = tile * kTile;
  const int columns = int(a.out - column < kTile ? a.out - column : kTile);
  for (int r = 0; r < kRows; r++) {
    if (a.bias) sum[r] = add(sum[r], load_partial(a.bias + column, columns));
    store_partial(a.y + (row + r) * a.out + column, sum[r], columns);
  }
}

void quant_linear(const QuantLinear& a, int64_t first_tile, int64_t end_tile) {
  for (int64_t tile = first_tile; tile < end_tile; tile++) {
    int64_t row = 0;
    for (; row + kQuantRows <= a.rows; row += kQuantRows) quant_tile<kQuantRows>(a, tile, row);
    if constexpr (kQuantRows > 4)
      for (; row + 4 <= a.rows; row += 4) quant_tile<4>(a, tile, row);
    if constexpr (kQuantRows > 2)
      for (; row + 2 <= a.rows; row += 2) quant_tile<2>(a, tile, row);
    for (; row < a.rows; row++) quant_tile<1>(a, tile, row);
  }
}

// The bytes of 16 values: the low ones are signed, so the high ones round up.
inline void store_bytes(int8_t* to, Ints values) {
  const Ints high = shift_right<8>(add_int(values, set_int(128)));
  store_int8(to, high);
  store_int8(to + kChunk, add_int(values, mul_int(high, set_int(-256))));
}

void quantise(const Quantise& a, int64_t first_row, int64_t end_row) {
  for (int64_t r = first_row; r < end_row; r++)
    for (int64_t c = 0; c < a.chunks; c++) {
      const float* x = a.x + r * a.in;
      const int64_t begin = c * kChunk;
      float gathered[kChunk];
      const float* from = x + begin;
      if (a.feature || begin + kChunk > a.in) {
        for (int i = 0; i < kChunk; i++) {
          const int64_t feature = a.feature          ? a.feature[begin + i]
                                  : begin + i < a.in ? begin + i
                                                     : -1;
          gathered[i] = feature < 0 ? 0 : x[feature];
        }
        from = gathered;
      }
      const Floats low = load(from), high = load(from + 16);
      const float most = reduce_max(max(abs(low), abs(high)));
      const Floats scale = set(most > 0 ? 32512 / most : 0);
      const Ints first = to_ints(mul(low, scale)), second = to_ints(mul(high, scale));
      int8_t* to = a.activations + (r * a.chunks + c) * 2 * kChunk;
      store_bytes(to, first);
      store_bytes(to + 16, second);
      a.steps[r * a.chunks + c] = most / 32512;
      a.sums[r * a.chunks + c] = reduce_add_int(add_int(first, second));
    }
}
