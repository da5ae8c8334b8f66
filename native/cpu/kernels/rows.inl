// Ops that read and write each row once.

void rms_norm(const RmsNorm& a, int64_t first_row, int64_t end_row) {
  for (int64_t r = first_row; r < end_row; r++) {
    const float* x = a.x + r * a.columns;
    const float* weight = a.weight + r % a.heads * a.columns;
    float* y = a.y + r * a.columns;
    Floats squares = set(0);
    int64_t c = 0;
    for (; c + 16 <= a.columns; c += 16) squares = fma(load(x + c), load(x + c), squares);
    const int tail = int(a.columns - c);
    if (tail) {
      const Floats rest = load_partial(x + c, tail);
      squares = fma(rest, rest, squares);
    }
    const float mean = reduce_add(squares) / float(a.columns);
    const Floats scale = set(1 / sqrtf(mean + a.eps)), offset = set(a.offset);
    for (c = 0; c + 16 <= a.columns; c += 16)
      store(y + c, mul(mul(load(x + c), scale), add(load(weight + c), offset)));
    if (tail)
      store_partial(
          y + c,
          mul(mul(load_partial(x + c, tail), scale), add(load_partial(weight + c, tail), offset)),
          tail);
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
