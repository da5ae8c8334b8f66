// Samplers: one per job.
#include <algorithm>

#include "base/error.h"
#include "napi/functions.h"
#include "napi/read.h"
#include "sampling/choices.h"
#include "sampling/sampler.h"

namespace exl {

namespace {

// Fields that are absent leave the default, which is off.
void set(const Napi::Object& from, const char* name, double& to) {
  if (has(from, name)) to = number(from, name);
}

void set(const Napi::Object& from, const char* name, int64_t& to) {
  if (has(from, name)) to = integer(from, name);
}

void set(const Napi::Object& from, const char* name, bool& to) {
  if (has(from, name)) to = integer(from, name) != 0;
}

void set(const Napi::Object& from, const char* name, TokenSet& to) {
  to = TokenSet(numbers<int32_t>(from, name));
}

SamplerSettings settings_of(const Napi::Object& from) {
  SamplerSettings settings;
  settings.temperature = number(from, "temperature");
  settings.top_k = integer(from, "topK");
  settings.top_p = number(from, "topP");
  settings.min_p = number(from, "minP");
  settings.penalties.repetition = number(from, "repetitionPenalty");
  settings.seed = uint64_t(integer(from, "seed"));

  set(from, "temperatureLast", settings.temperature_last);
  set(from, "smoothingFactor", settings.smoothing_factor);
  set(from, "dynamicMin", settings.dynamic_temperature.min);
  set(from, "dynamicMax", settings.dynamic_temperature.max);
  set(from, "dynamicExponent", settings.dynamic_temperature.exponent);
  set(from, "topA", settings.top_a);
  set(from, "tfs", settings.tfs);
  set(from, "typicalP", settings.typical_p);
  set(from, "skew", settings.skew);
  set(from, "presencePenalty", settings.penalties.presence);
  set(from, "frequencyPenalty", settings.penalties.frequency);
  set(from, "repetitionRange", settings.penalties.range);
  set(from, "repetitionDecay", settings.penalties.decay);
  set(from, "dryMultiplier", settings.dry.multiplier);
  set(from, "dryBase", settings.dry.base);
  set(from, "dryAllowedLength", settings.dry.allowed_length);
  set(from, "dryRange", settings.dry.range);
  set(from, "dryBreakers", settings.dry.breakers);
  set(from, "xtcProbability", settings.xtc.probability);
  set(from, "xtcThreshold", settings.xtc.threshold);
  set(from, "xtcIgnored", settings.xtc.ignored);
  set(from, "mirostatTau", settings.mirostat.tau);
  set(from, "mirostatEta", settings.mirostat.eta);
  set(from, "minTokens", settings.min_tokens);
  set(from, "vocabulary", settings.vocabulary);
  set(from, "exllamav2", settings.exllamav2);
  settings.end_ids = numbers<int32_t>(from, "endIds");
  settings.allowed = numbers<int32_t>(from, "allowedIds");
  settings.banned = numbers<int32_t>(from, "bannedIds");
  settings.first_allowed = numbers<int32_t>(from, "firstAllowedIds");
  set(from, "guidance", settings.guidance);
  set(from, "observeTop", settings.observe.top);
  set(from, "observeLogits", settings.observe.logits);
  set(from, "defer", settings.observe.defer);

  const std::vector<int32_t> ids = numbers<int32_t>(from, "biasIds");
  const std::vector<float> values = numbers<float>(from, "biasValues");
  if (ids.size() != values.size())
    throw Error(Code::InvalidArgument, "biasIds and biasValues differ in length");
  for (size_t i = 0; i < ids.size(); i++) settings.bias.push_back({ids[i], values[i]});
  return settings;
}

Filters filters_of(const Environment& environment, const Napi::Object& from,
                   const SamplerSettings& settings) {
  if (!has(from, "filters")) return {};
  const auto vocabulary = environment.get<Vocabulary>(uint32_t(integer(from, "tokenTexts")));
  const Napi::Array list = array(from, "filters");
  std::vector<std::unique_ptr<Filter>> filters;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Object filter = object(list.Get(i), "filter");
    const Napi::Array given = array(filter, "texts");
    std::vector<std::string> texts;
    for (uint32_t k = 0; k < given.Length(); k++) texts.push_back(text(given.Get(k), "text"));
    filters.push_back(std::make_unique<Choices>(vocabulary, texts, integer(filter, "open") != 0));
  }
  const int64_t healed = has(from, "healedId") ? integer(from, "healedId") : -1;
  return {vocabulary, std::move(filters), settings.end_ids, int32_t(healed)};
}

// The logits of one call, which the sampler may change, and memory to do it in.
struct Logits {
  explicit Logits(const Napi::Value& value) {
    if (!value.IsTypedArray() ||
        value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array ||
        value.As<Napi::TypedArray>().ElementLength() == 0)
      throw Error(Code::InvalidArgument, "logits is not a Float32Array of at least one element");
    const auto array = value.As<Napi::Float32Array>();
    given.assign(array.Data(), array.Data() + array.ElementLength());
    values = given;
    scratch.resize(Sampler::scratch_bytes(size()) / sizeof(uint64_t));
  }

  int64_t size() const { return int64_t(given.size()); }
  std::byte* memory() { return reinterpret_cast<std::byte*>(scratch.data()); }

  std::vector<float> given, values;
  std::vector<uint64_t> scratch;
};

}  // namespace

// createSampler(settings) -> sampler
Napi::Value create_sampler(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const Napi::Object from = object(info[0], "settings");
  SamplerSettings settings = settings_of(from);
  Filters filters = filters_of(environment, from, settings);
  const auto sampler = std::make_shared<Sampler>(std::move(settings), std::move(filters));
  return Napi::Number::New(info.Env(), environment.add(sampler));
}

// createVocabulary(Uint8Array, Int32Array) -> vocabulary: token i has the bytes from offsets[i] to
// offsets[i + 1].
Napi::Value create_vocabulary(const Napi::CallbackInfo& info) {
  Napi::Object holder = Napi::Object::New(info.Env());
  holder.Set("bytes", info[0]);
  holder.Set("offsets", info[1]);
  const std::vector<char> bytes = numbers<char>(holder, "bytes");
  const auto vocabulary = std::make_shared<Vocabulary>(std::string(bytes.begin(), bytes.end()),
                                                       numbers<int32_t>(holder, "offsets"));
  return Napi::Number::New(info.Env(), Environment::of(info.Env()).add(vocabulary));
}

// feedSampler(sampler, Int32Array): tokens of the prompt, before the first step.
Napi::Value feed_sampler(const Napi::CallbackInfo& info) {
  const auto sampler = Environment::of(info.Env()).get<Sampler>(handle(info, 0));
  Napi::Object holder = Napi::Object::New(info.Env());
  holder.Set("tokens", info[1]);
  sampler->feed(numbers<int32_t>(holder, "tokens"));
  return info.Env().Undefined();
}

// rewindSampler(device, sampler, draws, banned) -> Promise
Napi::Value rewind_sampler(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto sampler = environment.get<Sampler>(handle(info, 1));
  const int64_t draws = integer(info[2], "draws");
  Napi::Object holder = Napi::Object::New(info.Env());
  holder.Set("banned", info[3]);
  return environment.run(*environment.get<Device>(handle(info, 0)),
                         [sampler, draws, banned = numbers<int32_t>(holder, "banned")] {
                           sampler->rewind(uint64_t(std::max<int64_t>(draws, 0)), banned);
                           return Environment::Reply([](Napi::Env env) { return env.Undefined(); });
                         });
}

// samplerDistribution(sampler, Float32Array) -> {ids, probabilities}: what the next draw chooses
// from.
Napi::Value sampler_distribution(const Napi::CallbackInfo& info) {
  const auto sampler = Environment::of(info.Env()).get<Sampler>(handle(info, 0));
  Logits logits(info[1]);
  const Candidates list =
      sampler->distribution(logits.values.data(), logits.size(), logits.memory());
  Napi::Int32Array ids = Napi::Int32Array::New(info.Env(), size_t(list.count));
  Napi::Float64Array probabilities = Napi::Float64Array::New(info.Env(), size_t(list.count));
  for (int64_t i = 0; i < list.count; i++) {
    ids[size_t(i)] = list.id(i);
    probabilities[size_t(i)] = double(list.values[i]) / list.sum;
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("ids", ids);
  result.Set("probabilities", probabilities);
  return result;
}

// samplerDraw(sampler, Float32Array, count) -> Int32Array: draws in a row, each from these logits.
Napi::Value sampler_draw(const Napi::CallbackInfo& info) {
  const auto sampler = Environment::of(info.Env()).get<Sampler>(handle(info, 0));
  Logits logits(info[1]);
  Napi::Int32Array drawn = Napi::Int32Array::New(info.Env(), size_t(integer(info[2], "count")));
  for (size_t i = 0; i < drawn.ElementLength(); i++) {
    logits.values = logits.given;
    drawn[i] = sampler->draw(logits.values.data(), logits.size(), logits.memory());
  }
  return drawn;
}

}  // namespace exl
