// Draws from the largest logits alone, against the same draws from all of them.
#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "sampling/sampler.h"
#include "test/check.h"

namespace exl::test {

namespace {

constexpr int64_t kVocabulary = 3000, kLargest = 256;

struct Row {
  std::vector<float> logits, values;
  std::vector<int32_t> ids;

  // Few different values, so that there are equals, also across the border.
  explicit Row(std::mt19937& random) {
    const float step = random() % 2 ? 0.5f : 1e-3f;
    for (int64_t i = 0; i < kVocabulary; i++)
      logits.push_back(step * float(int32_t(random() % 4000) - 2000) / (1 + float(random() % 8)));
    if (random() % 20 == 0)
      logits[random() % kVocabulary] = std::numeric_limits<float>::quiet_NaN();
    if (random() % 20 == 0) logits[random() % kVocabulary] = std::numeric_limits<float>::infinity();
    ids.resize(kVocabulary);
    std::iota(ids.begin(), ids.end(), 0);
    const auto key = [&](int32_t id) { return order_key(logits[size_t(id)], id); };
    std::sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return key(a) > key(b); });
    ids.resize(kLargest);
    for (const int32_t id : ids) values.push_back(logits[size_t(id)]);
  }
};

SamplerSettings random_settings(std::mt19937& random) {
  const auto often = [&] { return random() % 4 != 0; };
  const auto share = [&] { return double(random() % 1000) / 1000; };
  SamplerSettings s;
  s.seed = random();
  s.temperature = often() ? 0.2 + share() : 0;
  s.top_k = often() ? int64_t(1 + random() % 300) : int64_t(random() % 2 ? kLargest : 0);
  if (often()) s.top_p = 0.5 + share() / 2;
  if (!often()) s.min_p = share() / 10;
  if (often()) s.penalties.repetition = 1 + share();
  if (!often()) s.penalties.presence = share() - 0.2;
  if (!often()) s.penalties.frequency = share();
  if (!often()) s.dry.multiplier = share();
  if (!often()) s.xtc.probability = share();
  if (!often()) s.mirostat.tau = 1 + share();
  if (!often()) s.skew = share();
  if (!often()) s.vocabulary = kVocabulary - 100;
  for (int i = 0; i < 40; i++) {
    if (!often()) s.banned.push_back(int32_t(random() % kVocabulary));
    if (random() % 100 == 0)
      s.bias.push_back({int32_t(random() % kVocabulary), float(share() - 0.9)});
  }
  if (random() % 20 == 0) s.allowed = {3, 4, 5};
  if (!often()) s.end_ids = {int32_t(random() % kVocabulary)}, s.min_tokens = 3;
  return s;
}

}  // namespace

void sampling() {
  std::mt19937 random(17);
  std::vector<std::byte> scratch(Sampler::scratch_bytes(kVocabulary));
  int64_t draws = 0, short_draws = 0, differ = 0;
  for (int job = 0; job < 1500; job++) {
    const SamplerSettings settings = random_settings(random);
    Sampler all(settings), largest(settings);
    // A text that the most probable tokens are in, so that penalties move them below others.
    const Row prompt(random);
    const std::vector<int32_t> text(prompt.ids.begin(),
                                    prompt.ids.begin() + int64_t(random() % 256));
    all.feed(text);
    largest.feed(text);
    for (int i = 0; i < 6; i++) {
      const Row fresh(random);
      const Row& row = random() % 2 ? prompt : fresh;
      std::vector<float> copy = row.logits;
      const int32_t expected = all.draw(copy.data(), kVocabulary, scratch.data());
      auto found = largest.draw_largest({row.values.data(), row.ids.data(), kLargest});
      short_draws += found.has_value();
      copy = row.logits;
      if (!found) found = largest.draw(copy.data(), kVocabulary, scratch.data());
      draws++;
      differ += *found != expected;
    }
  }
  check(differ == 0, "the largest logits give the draw that all give");
  check(short_draws > draws / 4 && short_draws < draws,
        "some draws need no more than the largest logits");
}

}  // namespace exl::test
