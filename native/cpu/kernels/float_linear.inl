// Dense dot products over unquantised weights. An output is summed in 16 lanes along the input and
// then across lanes: the same order whatever the number of rows or columns computed together.

template <FloatType kType>
inline Floats load_weight(const void* weight, int64_t at, int64_t n) {
  if constexpr (kType == FloatType::F32) {
    const float* p = static_cast<const float*>(weight) + at;
    return n >= 16 ? load(p) : load_partial(p, int(n));
  } else {
    const uint16_t* p = static_cast<const uint16_t*>(weight) + at;
    uint16_t tail[16] = {};
    if (n < 16) {
      for (int64_t i = 0; i < n; i++) tail[i] = p[i];
      p = tail;
    }
    return kType == FloatType::F16 ? load_half(p) : load_bfloat(p);
  }
}

template <FloatType kType, int kRows, int kColumns>
inline void float_block(const FloatLinear& a, int64_t row, int64_t column) {
  Floats sum[kRows][kColumns];
  for (int r = 0; r < kRows; r++)
    for (int n = 0; n < kColumns; n++) sum[r][n] = set(0);
  for (int64_t k = 0; k < a.in; k += 16) {
    const int64_t left = a.in - k;
    Floats x[kRows];
    for (int r = 0; r < kRows; r++) {
      const float* p = a.x + (row + r) * a.in + k;
      x[r] = left >= 16 ? load(p) : load_partial(p, int(left));
    }
    for (int n = 0; n < kColumns; n++) {
      const Floats w = load_weight<kType>(a.weight, (column + n) * a.in + k, left);
      for (int r = 0; r < kRows; r++) sum[r][n] = fma(x[r], w, sum[r][n]);
    }
  }
  for (int r = 0; r < kRows; r++)
    for (int n = 0; n < kColumns; n++)
      a.y[(row + r) * a.out + column + n] =
          reduce_add(sum[r][n]) + (a.bias ? a.bias[column + n] : 0);
}

template <FloatType kType>
inline void float_columns(const FloatLinear& a, int64_t first, int64_t end) {
  int64_t column = first;
  const auto rows = [&]<int kColumns>() {
    int64_t row = 0;
    for (; row + kFloatRows <= a.rows; row += kFloatRows)
      float_block<kType, kFloatRows, kColumns>(a, row, column);
    for (; row < a.rows; row++) float_block<kType, 1, kColumns>(a, row, column);
  };
  for (; column + kFloatColumns <= end; column += kFloatColumns)
    rows.template operator()<kFloatColumns>();
  for (; column < end; column++) rows.template operator()<1>();
}

void float_linear(const FloatLinear& a, int64_t first_column, int64_t end_column) {
  switch (a.type) {
    case FloatType::F32:
      return float_columns<FloatType::F32>(a, first_column, end_column);
    case FloatType::F16:
      return float_columns<FloatType::F16>(a, first_column, end_column);
    case FloatType::BF16:
      return float_columns<FloatType::BF16>(a, first_column, end_column);
  }
}
