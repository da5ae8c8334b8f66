// Quantised matrix multiply: activations of 16 bits times codes, one column per lane, so nothing is
// summed across lanes. Sums start at -zero * sum(activations), which subtracts the zero point from
// every code at once, and stay integers over a span. With 8-bit codes, any zero point up to 255 and
// full-scale activations they stay below 2 * 255 * 32512 * 128 < 2^31. Integers may be summed in
// any order; floats are summed span after span, the same whatever the number of rows.

// Rows of activations that are multiplied together and lie together, interleaved by chunk: blocks
// of kQuantRows, and one of what is left.
struct RowBlock {
  int64_t first, size;
};

inline RowBlock block_at(int64_t first, int64_t rows) {
  return {first, rows - first < kQuantRows ? rows - first : kQuantRows};
}

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

// Tiles that are multiplied together, so that activations are read once for them.
struct TileBlock {
  int64_t first;
  int count;  // up to kQuantTiles; computed again in place of those that are missing
};

template <int kBits, int kRows, int i, int kHalf>
EXL_INLINE void multiply_half(Sums (&sums)[kRows][kQuantTiles], const Bytes (&quad)[kQuantTiles],
                              const std::byte* words) {
  Half codes[kQuantTiles];
  EXL_UNROLL
  for (int t = 0; t < kQuantTiles; t++) codes[t] = half_of<kBits, kHalf>(quad[t]);
  EXL_UNROLL
  for (int r = 0; r < kRows; r++) {
    const auto four = broadcast_half(words + r * 64 + i * 8 + kHalf * 4);
    EXL_UNROLL
    for (int t = 0; t < kQuantTiles; t++) add_dot<kHalf>(sums[r][t], codes[t], four);
  }
}

// A block of few rows sums each product in several places, since adding to one takes a while.
template <int kRows>
struct Open {
  static constexpr int kPlaces =
      kQuantSums > kRows* kQuantTiles ? kQuantSums / (kRows * kQuantTiles) : 1;
  Sums sums[kPlaces][kRows][kQuantTiles];
  Sums code_pairs[kQuantTiles];
};

template <int kBits, int kRows, int i>
EXL_INLINE void multiply_quad(Open<kRows>& open, const std::byte* const* chunk,
                              const std::byte* words) {
  constexpr int places = Open<kRows>::kPlaces;
  Bytes quad[kQuantTiles];
  EXL_UNROLL
  for (int t = 0; t < kQuantTiles; t++) quad[t] = codes_of<kBits, i>(chunk[t]);
  if constexpr (is_paired<kRows, i>()) {
    multiply_pairs<kBits, kRows, i>(open.sums[0], open.code_pairs, quad, words);
  } else {
    multiply_half<kBits, kRows, i, 0>(open.sums[2 * i % places], quad, words);
    multiply_half<kBits, kRows, i, 1>(open.sums[(2 * i + 1) % places], quad, words);
  }
}

template <int kBits, int kRows>
EXL_INLINE void multiply_chunk(Open<kRows>& open, const std::byte* const* chunk,
                               const std::byte* words) {
  multiply_quad<kBits, kRows, 0>(open, chunk, words);
  multiply_quad<kBits, kRows, 1>(open, chunk, words);
  multiply_quad<kBits, kRows, 2>(open, chunk, words);
  multiply_quad<kBits, kRows, 3>(open, chunk, words);
  multiply_quad<kBits, kRows, 4>(open, chunk, words);
  multiply_quad<kBits, kRows, 5>(open, chunk, words);
  multiply_quad<kBits, kRows, 6>(open, chunk, words);
  multiply_quad<kBits, kRows, 7>(open, chunk, words);
}

// Where a block of rows and tiles has come to.
struct Cursor {
  const std::byte* codes[kQuantTiles];
  const std::byte* words;
  const float* steps;
  const int32_t *sums, *pairs;
  int64_t ahead;  // from the codes to those the thread reads next
};

// Outputs of a block of rows and tiles, in memory: all registers are needed for the sums.
template <int kRows>
struct alignas(64) Outputs {
  float y[kRows][kQuantTiles][kTile];
};

// One span, which is at most a group. A function of its own, or else GCC keeps outputs in places
// of its own from span to span and copies them twice more.
template <int kBits, int kRows>
EXL_NOINLINE void multiply_span(Cursor& cursor, int chunks, const Floats (&scale)[kQuantTiles],
                                const Ints (&minus_zero)[kQuantTiles], Outputs<kRows>& outputs) {
  Cursor at = cursor;
  Open<kRows> open;
  EXL_UNROLL
  for (int t = 0; t < kQuantTiles; t++) {
    open.code_pairs[t] = sums_from(set_int(0));
    EXL_UNROLL
    for (int r = 0; r < kRows; r++) {
      const Ints start = mul_int(minus_zero[t], set_int(at.sums[r]));
      open.sums[0][r][t] = sums_from(without_pairs<kRows>(start, set_int(at.pairs[r])));
      EXL_UNROLL
      for (int p = 1; p < open.kPlaces; p++) open.sums[p][r][t] = sums_from(set_int(0));
    }
  }
  for (int c = 0; c < chunks; c++) {
    EXL_UNROLL
    for (int t = 0; t < kQuantTiles; t++) EXL_UNROLL
    for (int v = 0; v < kBits; v++) prefetch(at.codes[t] + at.ahead + v * 64);
    multiply_chunk<kBits, kRows>(open, at.codes, at.words);
    EXL_UNROLL
    for (int t = 0; t < kQuantTiles; t++) at.codes[t] += kBits * 64;
    at.words += kRows * 64;
  }
  EXL_UNROLL
  for (int r = 0; r < kRows; r++) {
    const Floats step = set(at.steps[r]);
    EXL_UNROLL
    for (int t = 0; t < kQuantTiles; t++) {
      Ints sum = total(open.sums[0][r][t]);
      EXL_UNROLL
      for (int p = 1; p < open.kPlaces; p++) sum = add_int(sum, total(open.sums[p][r][t]));
      sum = without_pairs<kRows>(sum, total(open.code_pairs[t]));
      float* y = outputs.y[r][t];
      store(y, fma(to_floats(sum), mul(scale[t], step), load(y)));
    }
  }
  at.steps += kRows;
  at.sums += kRows;
  at.pairs += kRows;
  cursor = at;
}

template <int kBits, int kRows>
inline void multiply_group(Cursor& at, int chunks, const Floats (&scale)[kQuantTiles],
                           const Ints (&zero)[kQuantTiles], Outputs<kRows>& outputs) {
  Ints minus_zero[kQuantTiles];
  for (int t = 0; t < kQuantTiles; t++)
    minus_zero[t] = add_int(set_int(code_offset<kBits>()), mul_int(zero[t], set_int(-1)));
  for (int left = chunks; left > 0; left -= kSpan)
    multiply_span<kBits, kRows>(at, left < kSpan ? left : kSpan, scale, minus_zero, outputs);
}

template <int kRows>
inline void multiply_block(const QuantLinear& a, TileBlock tiles, int64_t row, int tiles_ahead) {
  Outputs<kRows> outputs = {};
  Cursor at{{},
            a.x.words + row * a.x.chunks * 64,
            a.x.steps + row * a.x.spans,
            a.x.sums + row * a.x.spans,
            a.x.pairs + row * a.x.spans,
            tiles_ahead * a.tile_bytes};
  int64_t tile[kQuantTiles];
  for (int t = 0; t < kQuantTiles; t++) {
    tile[t] = tiles.first + (t < tiles.count ? t : 0);
    at.codes[t] = a.codes + tile[t] * a.tile_bytes;
    for (int r = 0; r < kRows; r++)
      prefetch(reinterpret_cast<const std::byte*>(a.y + (row + r) * a.out + tile[t] * kTile));
  }
  for (int64_t g = 0; g < a.group_count; g++) {
    const PackedGroup& group = a.groups[g];
    Floats scale[kQuantTiles];
    Ints zero[kQuantTiles];
    for (int t = 0; t < kQuantTiles; t++) {
      const int64_t lanes = (tile[t] * a.group_count + g) * kTile;
      const int64_t lanes_ahead = tiles_ahead * a.group_count * kTile;
      prefetch(reinterpret_cast<const std::byte*>(a.scales + lanes + lanes_ahead));
      scale[t] = load_half(a.scales + lanes);
      zero[t] = a.zeros ? load_ints(a.zeros + lanes) : set_int(group.zero);
    }
    const auto run = [&]<int kBits>() {
      multiply_group<kBits, kRows>(at, group.chunks, scale, zero, outputs);
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
  }

  for (int t = 0; t < tiles.count; t++) {
    const int64_t column = tile[t] * kTile;
    const int columns = int(a.out - column < kTile ? a.out - column : kTile);
    for (int r = 0; r < kRows; r++) {
      Floats y = load(outputs.y[r][t]);
      if (a.bias) y = add(y, load_partial(a.bias + column, columns));
      store_partial(a.y + (row + r) * a.out + column, y, columns);
    }
  }
}

template <int kRows>
inline void multiply_rows(const QuantLinear& a, TileBlock tiles, RowBlock rows, int tiles_ahead) {
  if constexpr (kRows > 0) {
    if (rows.size == kRows) return multiply_block<kRows>(a, tiles, rows.first, tiles_ahead);
    multiply_rows<kRows - 1>(a, tiles, rows, tiles_ahead);
  }
}

// Activations that stay in a cache while tiles go by.
constexpr int64_t kCachedBytes = int64_t(256) << 10;

void quant_linear(const QuantLinear& a, int64_t first_tile, int64_t end_tile) {
  const int64_t blocks = kCachedBytes / (kQuantRows * a.x.chunks * 64);
  const int64_t cached = (blocks > 0 ? blocks : 1) * kQuantRows;
  for (int64_t first_row = 0; first_row < a.x.rows; first_row += cached)
    for (int64_t tile = first_tile; tile < end_tile; tile += kQuantTiles) {
      const int64_t left = end_tile - tile;
      const TileBlock tiles{tile, int(left < kQuantTiles ? left : kQuantTiles)};
      const int ahead = left > kQuantTiles ? kQuantTiles : 0;
      for (int64_t row = first_row; row < a.x.rows && row < first_row + cached; row += kQuantRows)
        multiply_rows<kQuantRows>(a, tiles, block_at(row, a.x.rows), ahead);
    }
}

// The inputs of packed rows [begin, begin + count), gathered if they do not lie together.
inline const float* inputs_of(const Quantise& a, const float* x, int64_t begin, int count,
                              float* gathered) {
  if (a.feature) {
    const int32_t* feature = a.feature + begin;
    for (int i = 0; i < count; i += 4) {
      const int32_t f0 = feature[i], f1 = feature[i + 1], f2 = feature[i + 2], f3 = feature[i + 3];
      if ((f0 | f1 | f2 | f3) < 0) {
        for (int k = i; k < i + 4; k++) gathered[k] = feature[k] < 0 ? 0 : x[feature[k]];
        continue;
      }
      const float x0 = x[f0], x1 = x[f1], x2 = x[f2], x3 = x[f3];
      gathered[i] = x0, gathered[i + 1] = x1, gathered[i + 2] = x2, gathered[i + 3] = x3;
    }
    return gathered;
  }
  if (begin + count <= a.in) return x + begin;
  for (int i = 0; i < count; i++) gathered[i] = begin + i < a.in ? x[begin + i] : 0;
  return gathered;
}

// Row `block.first + lane` of the chunks [chunk, chunk + chunks), which are a span.
inline void quantise_row(const Quantise& a, RowBlock block, int64_t lane, int64_t span,
                         int64_t chunk, int chunks) {
  const int count = chunks * kChunk;
  float gathered[kSpan * kChunk];
  const float* x = inputs_of(a, a.x + (block.first + lane) * a.in, chunk * kChunk, count, gathered);
  Floats largest = set(0);
  for (int i = 0; i < count; i += 16) largest = max(largest, abs(load(x + i)));
  const float most = reduce_max(largest);
  const Floats scale = set(most > 0 ? 32512 / most : 0);
  Ints sum = set_int(0), pairs = set_int(0);
  std::byte* words = a.to.words + (block.first * a.to.chunks + chunk * block.size + lane) * 64;
  for (int c = 0; c < chunks; c++, x += kChunk, words += block.size * 64) {
    const Ints first = to_ints(mul(load(x), scale)), second = to_ints(mul(load(x + 16), scale));
    store_quads(words, first);
    store_quads(words + 32, second);
    add_input_pairs(pairs, words);
    sum = add_int(sum, add_int(first, second));
  }
  const int64_t at = block.first * a.to.spans + span * block.size + lane;
  a.to.steps[at] = most / 32512;
  a.to.sums[at] = reduce_add_int(sum);
  a.to.pairs[at] = sum_of_pairs(pairs);
}

void quantise(const Quantise& a, int64_t first_span, int64_t end_span) {
  int64_t span = 0, chunk = 0;
  for (int64_t g = 0; g < a.group_count; g++)
    for (int left = a.groups[g].chunks; left > 0; left -= kSpan, span++) {
      const int chunks = left < kSpan ? left : kSpan;
      for (int64_t row = 0; row < a.to.rows && span >= first_span && span < end_span;
           row += kQuantRows) {
        const RowBlock block = block_at(row, a.to.rows);
        for (int64_t lane = 0; lane < block.size; lane++)
          quantise_row(a, block, lane, span, chunk, chunks);
      }
      chunk += chunks;
    }
}
