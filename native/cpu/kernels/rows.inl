// Ops that read and write each row once.

void norm(const Norm& a, int64_t first_row, int64_t end_row) {
  constexpr float kOnes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const int64_t whole = a.columns / 16 * 16;
  const int tail = int(a.columns - whole);
  for (int64_t r = first_row; r < end_row; r++) {
    const float* x = a.x + r * a.columns;
    const float* weight = a.weight + r % a.heads * a.columns;
    float* y = a.y + r * a.columns;
    Floats minus_mean = set(0);
    if (a.centred) {
      Floats sum = set(0);
      for (int64_t c = 0; c < whole; c += 16) sum = add(sum, load(x + c));
      if (tail) sum = add(sum, load_partial(x + whole, tail));
      minus_mean = set(-reduce_add(sum) / float(a.columns));
    }
    Floats squares = set(0);
    for (int64_t c = 0; c < whole; c += 16) {
      const Floats v = add(load(x + c), minus_mean);
      squares = fma(v, v, squares);
    }
    if (tail) {
      // Lanes beyond the row stay zero.
      const Floats v = fma(load_partial(kOnes, tail), minus_mean, load_partial(x + whole, tail));
      squares = fma(v, v, squares);
    }
    const float variance = reduce_add(squares) / float(a.columns);
    const Floats scale = set(1 / sqrtf(variance + a.eps)), offset = set(a.offset);
    for (int64_t c = 0; c < whole; c += 16) {
      Floats v = mul(add(load(x + c), minus_mean), scale);
      v = mul(v, add(load(weight + c), offset));
      store(y + c, a.bias ? add(v, load(a.bias + c)) : v);
    }
    if (tail) {
      Floats v = mul(add(load_partial(x + whole, tail), minus_mean), scale);
      v = mul(v, add(load_partial(weight + whole, tail), offset));
      store_partial(y + whole, a.bias ? add(v, load_partial(a.bias + whole, tail)) : v, tail);
    }
  }
}

void rope(const Rope& a, int64_t first_row, int64_t end_row) {
  for (int64_t r = first_row; r < end_row; r++)
    for (int64_t h = 0; h < a.heads; h++) {
      const float* x = a.x + (r * a.heads + h) * a.dim;
      float* y = a.y + (r * a.heads + h) * a.dim;
      const float* angles = a.angles + r * a.pairs * 2;
      for (int64_t i = 0; i < a.pairs; i++) {
        const float cosine = angles[2 * i], sine = angles[2 * i + 1];
        const int64_t first = a.interleaved ? 2 * i : i;
        const int64_t second = a.interleaved ? 2 * i + 1 : i + a.pairs;
        const float low = x[first], high = x[second];
        y[first] = low * cosine - high * sine;
        y[second] = high * cosine + low * sine;
      }
      for (int64_t c = 2 * a.pairs; c < a.dim; c++) y[c] = x[c];
    }
}

void add_rows(const float* a, const float* b, float* y, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) store(y + i, add(load(a + i), load(b + i)));
  for (; i < count; i++) y[i] = a[i] + b[i];
}

void silu_mul(const float* gate, const float* up, float* y, int64_t count) {
  const auto product = [](Floats g, Floats u) {
    const Floats denominator = add(set(1), exponential(mul(g, set(-1))));
    return mul(div(g, denominator), u);
  };
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) store(y + i, product(load(gate + i), load(up + i)));
  const int tail = int(count - i);
  if (tail)
    store_partial(y + i, product(load_partial(gate + i, tail), load_partial(up + i, tail)), tail);
}
