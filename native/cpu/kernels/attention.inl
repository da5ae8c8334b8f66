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

// scores[q][t] = q . k[t] for kVectors * 16 tokens.
template <int kQueries, int kVectors>
inline void score(Query* const* queries, const uint16_t* keys, int64_t dim, int64_t at) {
  Floats sum[kQueries][kVectors];
  for (int q = 0; q < kQueries; q++)
    for (int v = 0; v < kVectors; v++) sum[q][v] = set(0);
  for (int64_t c = 0; c < dim; c++) {
    Floats k[kVectors];
    for (int v = 0; v < kVectors; v++) k[v] = load_half(keys + c * 256 + at + v * 16);
    for (int q = 0; q < kQueries; q++) {
      const Floats element = set(queries[q]->q[c]);
      for (int v = 0; v < kVectors; v++) sum[q][v] = fma(element, k[v], sum[q][v]);
    }
  }
  for (int q = 0; q < kQueries; q++)
    for (int v = 0; v < kVectors; v++) store(queries[q]->scores + at + v * 16, sum[q][v]);
}

// mix[q] += sum over tokens of p[q][t] * v[t] for 16 elements.
template <int kQueries>
inline void mix_values(Query* const* queries, const uint16_t* values, int64_t dim, int64_t element,
                       int64_t first, int64_t end) {
  const int elements = int(dim - element < 16 ? dim - element : 16);
  Floats sum[kQueries];
  for (int q = 0; q < kQueries; q++) sum[q] = load(queries[q]->mix + element);
  for (int64_t t = first; t < end; t++) {
    const uint16_t* p = values + t * dim + element;
    const Floats v = elements == 16 ? load_half(p) : load_half_partial(p, elements);
    for (int q = 0; q < kQueries; q++) sum[q] = fma(set(queries[q]->scores[t]), v, sum[q]);
  }
  for (int q = 0; q < kQueries; q++) store(queries[q]->mix + element, sum[q]);
}

inline float soft_cap(float x, float cap) { return cap * tanhf(x / cap); }

// Turns the scores of a tile into weights exp(score - most), rescaling what came before if the
// maximum grew.
inline void soften(Query& query, const Attention& a, int64_t tile, int64_t padded) {
  for (int64_t t = 0; t < kAttentionTile; t++) {
    const bool sees = tile + t >= query.first && tile + t <= query.last;
    float score = query.scores[t] * a.scale;
    if (a.softcap != 0) score = soft_cap(score, a.softcap);
    query.scores[t] = sees ? score : -INFINITY;
  }
  Floats most = set(query.most);
  for (int64_t t = 0; t < kAttentionTile; t += 16) most = max(most, load(query.scores + t));
  const float peak = reduce_max(most);

  float correction[16];
  store(correction, exponential(set(query.most - peak)));
  Floats sum = set(0);
  for (int64_t t = 0; t < kAttentionTile; t += 16) {
    Floats p = exponential(add(load(query.scores + t), set(-peak)));
    store(query.scores + t, p);
    for (int i = 0; i < 16; i++)
      if (tile + t + i < query.first || tile + t + i > query.last) query.scores[t + i] = 0;
    sum = add(sum, load(query.scores + t));
  }
  query.most = peak;
  query.sum = query.sum * correction[0] + reduce_add(sum);
  if (correction[0] != 1)
    for (int64_t c = 0; c < padded; c += 16)
      store(query.mix + c, mul(load(query.mix + c), set(correction[0])));
}

template <int kQueries>
inline void attend(Query* const* queries, const Attention& a, const uint16_t* keys,
                   const uint16_t* values, int64_t tile) {
  const int64_t padded = (a.dim + 15) / 16 * 16;
  constexpr int step = 16 * kScoreVectors;
  for (int64_t at = 0; at < kAttentionTile; at += step)
    score<kQueries, kScoreVectors>(queries, keys, a.dim, at);
  int64_t first = kAttentionTile, end = 0;
  for (int q = 0; q < kQueries; q++) {
    Query& query = *queries[q];
    soften(query, a, tile, padded);
    if (query.first - tile < first) first = query.first - tile;
    if (query.last - tile + 1 > end) end = query.last - tile + 1;
  }
  if (first < 0) first = 0;
  if (end > kAttentionTile) end = kAttentionTile;
  for (int64_t c = 0; c < padded; c += 16)
    mix_values<kQueries>(queries, values, a.dim, c, first, end);
}

void attention(const Attention& a, int64_t first_row, int64_t end_row, int64_t key_head,
               float* scratch) {
  constexpr int most_queries = 64;
  const int64_t group = a.heads / a.key_heads;
  const int64_t padded = (a.dim + 15) / 16 * 16;
  const int64_t per_query = kAttentionTile + padded;
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
        const uint16_t* keys = a.keys + page * a.dim * 256 + tile % 256;
        const uint16_t* values = a.values + (page * 256 + tile % 256) * a.dim;
        Query* sees[most_queries];
        int seeing = 0;
        for (int q = 0; q < count; q++)
          if (queries[q].first < tile + kAttentionTile && queries[q].last >= tile)
            sees[seeing++] = &queries[q];
        int q = 0;
        for (; q + kScoreQueries <= seeing; q += kScoreQueries)
          attend<kScoreQueries>(sees + q, a, keys, values, tile);
        for (; q < seeing; q++) attend<1>(sees + q, a, keys, values, tile);
      }
      for (int q = 0; q < count; q++)
        for (int64_t c = 0; c < a.dim; c++) queries[q].y[c] = queries[q].mix[c] / queries[q].sum;
    }
}
