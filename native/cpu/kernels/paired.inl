// Products in pairs (S. Winograd, "A New Algorithm for Inner Product", IEEE Transactions on
// Computers C-17, 1968), for activations x and codes c:
//
//   x0 c0 + x1 c1 = (x0 + c1) (x1 + c0) - x0 x1 - c0 c1
//
// Half the multiplications, and two additions in place of each that is gone. x0 x1 is the same for
// all columns, c0 c1 for all rows of a block. Where a processor has adders beside its multipliers
// (EXL_SIMD_PAIRED), every second quad of a large block is multiplied like this, while the
// multipliers are busy with the others: 0.79 of the time on Zen 4, and 0.92 with all of them.
//
// The factors fit 16 bits, as activations are at most 32512 and codes 255. Sums wrap around on the
// way; what is left in the end is the very integer that plain products give.

#ifdef EXL_SIMD_PAIRED

template <int kRows>
constexpr bool has_pairs() {
  return kRows >= 4;
}

// add_input_pairs() goes by the same quads.
template <int kRows, int i>
constexpr bool is_paired() {
  return has_pairs<kRows>() && i % 2 == 0;
}

// Sums of the products of quad i, and of c0 c1.
template <int kBits, int kRows, int i>
EXL_INLINE void multiply_pairs(Sums (&sums)[kRows][kQuantTiles], Sums (&of_codes)[kQuantTiles],
                               const Bytes (&quad)[kQuantTiles], const std::byte* words) {
  Half even[kQuantTiles], odd[kQuantTiles];
  EXL_UNROLL
  for (int t = 0; t < kQuantTiles; t++) {
    even[t] = half_of<kBits, 0>(quad[t]);
    odd[t] = half_of<kBits, 1>(quad[t]);
    add_dot<0>(of_codes[t], even[t], odd[t]);
  }
  EXL_UNROLL
  for (int r = 0; r < kRows; r++) {
    const Half x_even = broadcast_half(words + r * 64 + i * 8);
    const Half x_odd = broadcast_half(words + r * 64 + i * 8 + 4);
    EXL_UNROLL
    for (int t = 0; t < kQuantTiles; t++)
      add_dot<0>(sums[r][t], add_words(x_even, odd[t]), add_words(x_odd, even[t]));
  }
}

template <int kRows>
inline Ints without_pairs(Ints sum, Ints pairs) {
  return has_pairs<kRows>() ? sub_int(sum, pairs) : sum;
}

#else

template <int kRows, int i>
constexpr bool is_paired() {
  return false;
}
template <int kBits, int kRows, int i>
inline void multiply_pairs(Sums (&)[kRows][kQuantTiles], Sums (&)[kQuantTiles],
                           const Bytes (&)[kQuantTiles], const std::byte*) {}
inline void add_input_pairs(Ints&, const std::byte*) {}
inline int sum_of_pairs(Ints) { return 0; }
template <int kRows>
inline Ints without_pairs(Ints sum, Ints) {
  return sum;
}

#endif
