// Attention by tiles of 64 tokens with a running softmax (Milakov and Gimelshein, arXiv:1805.02867;
// Dao et al., arXiv:2205.14135). Scores put a token in each lane, the mix of values an element, so
// neither sums across lanes. Tiles start at multiples of 64 whatever the query, so a row's result
// does not depend on its neighbours.

struct Query {
  const float* q;
  float* y;
  float *scores, *mix;
  float most, sum;
  int64_t first, last;  // tokens it sees
};

// Keys of elements c, or c and c + 1 where they share bytes, for 16 tokens of a page.
template <CodeType kType, int kElements>
inline void load_keys(const std::byte* codes, int64_t c, int64_t token, Floats (&keys)[kElements]) {
  if constexpr (kType == CodeType::Int4)
    load_int4_pairs(reinterpret_cast<const uint8_t*>(codes) + c / 2 * 256 + token, keys[0],
                    keys[1]);
  else
    keys[0] = load_codes<kType>(codes, c * 256 + token);
}

// What is wanted next: the keys of the following tile, and the values of this one. Keys lie in
// short pieces far apart, which the processor does not foresee.
struct Ahead {
  const std::byte *keys, *values;
  int64_t value_bytes;  // to fetch with each element of the keys
};

// Asks for the part of it that goes with element c of the keys.
template <CodeType kType>
inline void fetch_ahead(const Ahead& ahead, int64_t c) {
  constexpr int64_t elements = kType == CodeType::Int4 ? 2 : 1, line = 64;
  constexpr int64_t row = 256 * code_bits(kType) * elements / 8;
  for (int64_t b = 0; b < row * kAttentionTile / 256; b += line)
    prefetch(ahead.keys + c / elements * row + b);
  for (int64_t b = 0; b < ahead.value_bytes * elements; b += line)
    prefetch(ahead.values + c * ahead.value_bytes + b);
}

// scores[q][t] = q . k[t] for kVectors * 16 tokens; a group is summed before it is scaled.
template <CodeType kType, int kQueries, int kVectors>
inline void score(Query* const* queries, const CacheCodes& keys, int64_t dim, int64_t token,
                  int64_t at, const Ahead* ahead) {
  constexpr int elements = kType == CodeType::Int4 ? 2 : 1;
  const int64_t group = has_scales(kType) ? keys.group : dim;
  Floats sum[kQueries][kVectors];
  for (int q = 0; q < kQueries; q++)
    for (int v = 0; v < kVectors; v++) sum[q][v] = set(0);
  for (int64_t first = 0; first < dim; first += group) {
    Floats part[kQueries][kVectors];
    for (int q = 0; q < kQueries; q++)
      for (int v = 0; v < kVectors; v++) part[q][v] = set(0);
    for (int64_t c = first; c < first + group; c += elements) {
      if (ahead) fetch_ahead<kType>(*ahead, c);
      Floats k[kVectors][elements];
      for (int v = 0; v < kVectors; v++) load_keys<kType>(keys.codes, c, token + at + v * 16, k[v]);
      for (int e = 0; e < elements; e++)
        for (int q = 0; q < kQueries; q++) {
          const Floats element = set(queries[q]->q[c + e]);
          for (int v = 0; v < kVectors; v++) part[q][v] = fma(element, k[v][e], part[q][v]);
        }
    }
    for (int v = 0; v < kVectors; v++) {
      if constexpr (has_scales(kType)) {
        const Floats scale = load_half(keys.scales + first / group * 256 + token + at + v * 16);
        for (int q = 0; q < kQueries; q++) sum[q][v] = fma(part[q][v], scale, sum[q][v]);
      } else {
        for (int q = 0; q < kQueries; q++) sum[q][v] = part[q][v];
      }
    }
  }
  for (int q = 0; q < kQueries; q++)
    for (int v = 0; v < kVectors; v++) store(queries[q]->scores + at + v * 16, sum[q][v]);
}

// mix[q] += sum over tokens of p[q][t] * v[t] for kVectors * 16 elements, or for the first `count`
// of 16. Scales go into p, which there is less of.
template <CodeType kType, int kQueries, int kVectors, bool kWhole = true>
inline void mix_elements(Query* const* queries, const CacheCodes& values, int64_t dim,
                         int64_t token, int64_t element, int64_t first, int64_t end,
                         int count = 16) {
  const float* p[kQueries][kVectors];
  float scaled[kQueries][kVectors][kAttentionTile];
  Floats sum[kQueries][kVectors];
  for (int v = 0; v < kVectors; v++) {
    const int64_t from = element + v * 16;
    for (int q = 0; q < kQueries; q++) {
      sum[q][v] = load(queries[q]->mix + from);
      p[q][v] = queries[q]->scores;
      if constexpr (has_scales(kType)) {
        const uint16_t* scales = values.scales + from / values.group * 256 + token;
        for (int64_t t = 0; t < kAttentionTile; t += 16)
          store(scaled[q][v] + t, mul(load(queries[q]->scores + t), load_half(scales + t)));
        p[q][v] = scaled[q][v];
      }
    }
  }
  for (int64_t t = first; t < end; t++)
    for (int v = 0; v < kVectors; v++) {
      const int64_t at = (token + t) * dim + element + v * 16;
      // What follows `count` elements does no harm, as long as it is of this page.
      const Floats x = kWhole || at + 16 <= dim * 256
                           ? load_codes<kType>(values.codes, at)
                           : load_codes_partial<kType>(values.codes, at, count);
      for (int q = 0; q < kQueries; q++) sum[q][v] = fma(set(p[q][v][t]), x, sum[q][v]);
    }
  for (int q = 0; q < kQueries; q++)
    for (int v = 0; v < kVectors; v++) {
      if (kWhole)
        store(queries[q]->mix + element + v * 16, sum[q][v]);
      else
        store_partial(queries[q]->mix + element, sum[q][v], count);
    }
}

template <CodeType kType, int kQueries, int kVectors>
inline void mix_values(Query* const* queries, const CacheCodes& values, int64_t dim, int64_t token,
                       int64_t first, int64_t end) {
  int64_t c = 0;
  // Lanes of a vector share a scale.
  if (!has_scales(kType) || values.group >= 16) {
    for (; c + 16 * kVectors <= dim; c += 16 * kVectors)
      mix_elements<kType, kQueries, kVectors>(queries, values, dim, token, c, first, end);
    for (; c + 16 <= dim; c += 16)
      mix_elements<kType, kQueries, 1>(queries, values, dim, token, c, first, end);
  }
  const int step = has_scales(kType) ? int(values.group) : int(dim - c);
  for (; c < dim; c += step)
    mix_elements<kType, kQueries, 1, false>(queries, values, dim, token, c, first, end, step);
}

// Calls run.operator()<type>().
template <typename F>
inline void with_type(CodeType type, F run) {
  switch (type) {
    case CodeType::F16:
      return run.template operator()<CodeType::F16>();
    case CodeType::E5M2:
      return run.template operator()<CodeType::E5M2>();
    case CodeType::Int8:
      return run.template operator()<CodeType::Int8>();
    case CodeType::Int4:
      return run.template operator()<CodeType::Int4>();
  }
}

inline float soft_cap(float x, float cap) { return cap * tanhf(x / cap); }

// Turns the scores of a tile into weights exp(score - most), rescaling what came before if the
// maximum grew.
inline void soften(Query& query, const Attention& a, int64_t tile, int64_t padded) {
  // Most tiles are seen whole.
  const int64_t first = query.first - tile, last = query.last - tile;
  const bool whole = first <= 0 && last >= kAttentionTile - 1;
  const auto hide = [&](float hidden) {
    for (int64_t t = 0; t < first && t < kAttentionTile; t++) query.scores[t] = hidden;
    for (int64_t t = last + 1; t < kAttentionTile; t++) query.scores[t] = hidden;
  };
  for (int64_t t = 0; t < kAttentionTile; t += 16)
    store(query.scores + t, mul(load(query.scores + t), set(a.scale)));
  if (a.softcap != 0)
    for (int64_t t = 0; t < kAttentionTile; t++)
      query.scores[t] = soft_cap(query.scores[t], a.softcap);
  if (!whole) hide(-INFINITY);
  Floats most = set(query.most);
  for (int64_t t = 0; t < kAttentionTile; t += 16) most = max(most, load(query.scores + t));
  const float peak = reduce_max(most);

  float correction[16];
  store(correction, exponential(set(query.most - peak)));
  for (int64_t t = 0; t < kAttentionTile; t += 16)
    store(query.scores + t, exponential(add(load(query.scores + t), set(-peak))));
  if (!whole) hide(0);
  Floats sum = set(0);
  for (int64_t t = 0; t < kAttentionTile; t += 16) sum = add(sum, load(query.scores + t));
  query.most = peak;
  query.sum = query.sum * correction[0] + reduce_add(sum);
  if (correction[0] != 1)
    for (int64_t c = 0; c < padded; c += 16)
      store(query.mix + c, mul(load(query.mix + c), set(correction[0])));
}

// `keys` and `values` are those of one head in the page of the tile.
template <int kQueries>
inline void attend(Query* const* queries, const Attention& a, const CacheCodes& keys,
                   const CacheCodes& values, int64_t tile, const Ahead* ahead) {
  constexpr int vectors = kQueries == 1 ? kSingleVectors : kScoreVectors;
  const int64_t padded = (a.dim + 15) / 16 * 16;
  const int64_t token = tile % 256;
  with_type(keys.type, [&]<CodeType kType>() {
    for (int64_t at = 0; at < kAttentionTile; at += 16 * vectors)
      score<kType, kQueries, vectors>(queries, keys, a.dim, token, at, at == 0 ? ahead : nullptr);
  });
  int64_t first = kAttentionTile, end = 0;
  for (int q = 0; q < kQueries; q++) {
    Query& query = *queries[q];
    soften(query, a, tile, padded);
    if (query.first - tile < first) first = query.first - tile;
    if (query.last - tile + 1 > end) end = query.last - tile + 1;
  }
  if (first < 0) first = 0;
  if (end > kAttentionTile) end = kAttentionTile;
  with_type(values.type, [&]<CodeType kType>() {
    mix_values<kType, kQueries, vectors>(queries, values, a.dim, token, first, end);
  });
}

// One head in one page; `page` counts heads.
inline CacheCodes head_in(const CacheCodes& side, int64_t page, int64_t dim) {
  CacheCodes head = side;
  head.codes += page * dim * 256 * code_bits(side.type) / 8;
  if (side.group) head.scales += page * (dim / side.group) * 256;
  return head;
}

inline Ahead ahead_of(const Attention& a, int64_t tile, int64_t key_head, int64_t end) {
  const auto place = [&](const CacheCodes& side, int64_t token, int64_t token_bits) {
    const int64_t page = a.pages[token / 256] * a.key_heads + key_head;
    return head_in(side, page, a.dim).codes + token % 256 * token_bits / 8;
  };
  const int64_t next = tile + kAttentionTile < end ? tile + kAttentionTile : tile;
  // Pairs of 4-bit keys share a byte, so that tokens are a byte apart, too.
  const int64_t key_bits = a.keys.type == CodeType::F16 ? 16 : 8;
  const int64_t value_bits = code_bits(a.values.type);
  return {place(a.keys, next, key_bits), place(a.values, tile, value_bits * a.dim),
          kAttentionTile * value_bits / 8};
}

void attention(const Attention& a, int64_t first_row, int64_t end_row, int64_t key_head,
               float* scratch) {
  constexpr int most_queries = 64;
  const int64_t group = a.heads / a.key_heads;
  const int64_t padded = (a.dim + 15) / 16 * 16;
  const int64_t per_query = kAttentionTile + 2 * padded;
  const int64_t block = group > most_queries ? 1 : most_queries / group;

  for (int64_t row = first_row; row < end_row; row += block)
    for (int64_t head = 0; head < group; head += most_queries) {
      Query queries[most_queries];
      int count = 0;
      int64_t begin = INT64_MAX, end = 0;
      for (int64_t r = row; r < row + block && r < end_row; r++)
        for (int64_t h = head; h < group && h < head + most_queries; h++) {
          Query& query = queries[count];
          const int64_t at = (r * a.heads + key_head * group + h) * a.dim;
          query.q = a.q + at;
          query.y = a.y + at;
          query.scores = scratch + count * per_query;
          query.mix = query.scores + kAttentionTile;
          for (int64_t c = 0; c < padded; c++) query.mix[c] = 0;
          // q . k = H q . H k / group
          if (a.keys.group) {
            float* rotated = query.mix + padded;
            for (int64_t c = 0; c < a.dim; c++) rotated[c] = query.q[c] / float(a.keys.group);
            rotate(rotated, a.dim, a.keys.group);
            query.q = rotated;
          }
          query.most = -INFINITY;
          query.sum = 0;
          query.last = a.positions[r];
          query.first = a.window && query.last >= a.window ? query.last - a.window + 1 : 0;
          if (query.first < begin) begin = query.first;
          if (query.last + 1 > end) end = query.last + 1;
          count++;
        }

      for (int64_t tile = begin / kAttentionTile * kAttentionTile; tile < end;
           tile += kAttentionTile) {
        const int64_t page = a.pages[tile / 256] * a.key_heads + key_head;
        const CacheCodes keys = head_in(a.keys, page, a.dim);
        const CacheCodes values = head_in(a.values, page, a.dim);
        Query* sees[most_queries];
        int seeing = 0;
        for (int q = 0; q < count; q++)
          if (queries[q].first < tile + kAttentionTile && queries[q].last >= tile)
            sees[seeing++] = &queries[q];
        const Ahead next = ahead_of(a, tile, key_head, end);
        const Ahead* ahead = &next;
        for (int q = 0; q < seeing; ahead = nullptr) {
          if (seeing - q >= kScoreQueries) {
            attend<kScoreQueries>(sees + q, a, keys, values, tile, ahead);
            q += kScoreQueries;
          } else {
            attend<1>(sees + q++, a, keys, values, tile, ahead);
          }
        }
      }
      for (int q = 0; q < count; q++) {
        const Query& query = queries[q];
        float divisor = query.sum;
        if (a.values.group) {
          rotate(query.mix, a.dim, a.values.group);
          divisor *= float(a.values.group);
        }
        for (int64_t c = 0; c < a.dim; c++) query.y[c] = query.mix[c] / divisor;
      }
    }
}
