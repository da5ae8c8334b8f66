// Included in the namespace of a target.

// exp by 2^n * e^r, |r| <= ln 2 / 2, and a Taylor polynomial of degree 6 for e^r: relative error
// below 2e-7. Arguments are clamped to the range of normal floats.
inline Floats exponential(Floats x) {
  x = min(max(x, set(-87.0f)), set(88.0f));
  const Ints n = to_ints(mul(x, set(1.44269504f)));
  const Floats whole = to_floats(n);
  // ln 2 in two parts, so that x - n ln 2 loses nothing.
  Floats r = fma(whole, set(-0.693359375f), x);
  r = fma(whole, set(2.12194440e-4f), r);
  Floats p = set(1.0f / 720);
  p = fma(p, r, set(1.0f / 120));
  p = fma(p, r, set(1.0f / 24));
  p = fma(p, r, set(1.0f / 6));
  p = fma(p, r, set(0.5f));
  p = fma(p, r, set(1.0f));
  p = fma(p, r, set(1.0f));
  return times_power_of_two(p, n);
}
