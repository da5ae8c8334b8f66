// Devices, their ledgers, and what lives on them.
#include "base/error.h"
#include "memory/pages.h"
#include "napi/functions.h"
#include "napi/read.h"

namespace exl {

uint32_t handle(const Napi::CallbackInfo& info, size_t index) {
  return uint32_t(integer(info[index], "handle"));
}

// Joins the engine thread: the caller has waited for everything in flight.
Napi::Value close_device(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).close_device(handle(info, 0));
  return info.Env().Undefined();
}

// drain(device) -> Promise, settled when everything queued before has run.
Napi::Value drain(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  return environment.run(*environment.get<Device>(handle(info, 0)), [] {
    return Environment::Reply([](Napi::Env env) { return env.Undefined(); });
  });
}

Napi::Value release(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::of(info.Env()).release(handle(info, 0)));
}

Napi::Value trim(const Napi::CallbackInfo& info) {
  trim_heap();
  return info.Env().Undefined();
}

Napi::Value totals(const Napi::CallbackInfo& info) {
  const auto device = Environment::of(info.Env()).get<Device>(handle(info, 0));
  const LedgerTotals totals = device->ledger->totals();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("allocated", double(totals.allocated));
  result.Set("reserved", double(totals.reserved));
  result.Set("peak", double(totals.peak));
  Napi::Object by_kind = Napi::Object::New(info.Env());
  for (int i = 0; i < kKindCount; i++) by_kind.Set(kind_name(Kind(i)), double(totals.by_kind[i]));
  result.Set("byKind", by_kind);
  result.Set("buffers", double(totals.buffers));
  return result;
}

Napi::Value buffers(const Napi::CallbackInfo& info) {
  const auto device = Environment::of(info.Env()).get<Device>(handle(info, 0));
  const std::vector<LedgerEntry> entries = device->ledger->entries();
  const auto now = std::chrono::steady_clock::now();
  Napi::Array result = Napi::Array::New(info.Env(), entries.size());
  for (uint32_t i = 0; i < entries.size(); i++) {
    const LedgerEntry& entry = entries[i];
    Napi::Object item = Napi::Object::New(info.Env());
    item.Set("id", double(entry.id));
    item.Set("kind", kind_name(entry.kind));
    item.Set("label", entry.label);
    item.Set("owner", entry.owner);
    item.Set("bytes", double(entry.bytes));
    item.Set("ageMs", std::chrono::duration<double, std::milli>(now - entry.since).count());
    result.Set(i, item);
  }
  return result;
}

// createLoader(device, mode, owner) -> loader
Napi::Value create_loader(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto device = environment.get<Device>(handle(info, 0));
  return Napi::Number::New(info.Env(), environment.add(std::make_shared<Loader>(
                                           load_mode(text(info[1], "mode")),
                                           device->allocator(text(info[2], "owner")))));
}

// loaderState(loader) -> {mode, fallback}
Napi::Value loader_state(const Napi::CallbackInfo& info) {
  const auto loader = Environment::of(info.Env()).get<Loader>(handle(info, 0));
  Napi::Object state = Napi::Object::New(info.Env());
  state.Set("mode", load_mode_name(loader->mode()));
  state.Set("fallback", loader->fallback());
  return state;
}

// loadWeight(device, loader or null, source, label, owner) -> Promise<weight>
Napi::Value load_weight(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto device = environment.get<Device>(handle(info, 0));
  const auto loader = info[1].IsNull() ? nullptr : environment.get<Loader>(handle(info, 1));
  const auto source =
      std::make_shared<WeightSource>(weight_source(object(info[2], "source"), loader));
  const std::string label = text(info[3], "label");
  const Allocator allocate = device->allocator(text(info[4], "owner"));
  return environment.run(*device, [=, &environment, backend = device->backend] {
    const auto weight = backend->load(*source, allocate, label);
    return Environment::Reply([weight, &environment](Napi::Env env) -> Napi::Value {
      return Napi::Number::New(env, environment.add<Weight>(weight));
    });
  });
}

CacheType cache_type(const Napi::Object& size) {
  return has(size, "type") ? cache_type_named(text(size, "type")) : CacheType::Fp16;
}

// createCache(device, {layers, pages, keyHeads, dim, type}, owner) -> cache
Napi::Value create_cache(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto device = environment.get<Device>(handle(info, 0));
  const Napi::Object size = object(info[1], "size");
  const auto cache =
      make_cache(device->allocator(text(info[2], "owner")), cache_type(size),
                 device->backend->cache_type(), integer(size, "layers"), integer(size, "pages"),
                 integer(size, "keyHeads"), integer(size, "dim"));
  return Napi::Number::New(info.Env(), environment.add(cache));
}

// cacheTokenBytes({keyHeads, dim, type}) -> bytes, where an fp16 cache holds halves
Napi::Value cache_token_bytes(const Napi::CallbackInfo& info) {
  const Napi::Object size = object(info[0], "size");
  const int64_t bytes = cache_token_bytes(cache_type(size), Dtype::F16, integer(size, "keyHeads"),
                                          integer(size, "dim"));
  return Napi::Number::New(info.Env(), double(bytes));
}

// copyPages(device, cache, from, to) -> Promise
Napi::Value copy_pages(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto cache = environment.get<Cache>(handle(info, 1));
  Napi::Object holder = Napi::Object::New(info.Env());
  holder.Set("from", info[2]);
  holder.Set("to", info[3]);
  const auto device = environment.get<Device>(handle(info, 0));
  return environment.run(*device,
                         [cache, backend = device->backend, from = numbers<int32_t>(holder, "from"),
                          to = numbers<int32_t>(holder, "to")] {
                           copy_pages(backend->memory().get(), *cache, from, to);
                           return Environment::Reply([](Napi::Env env) { return env.Undefined(); });
                         });
}

// createTensor(device, Float64Array or null, shape, owner) -> tensor, zeroed if there are no values
Napi::Value create_tensor(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto device = environment.get<Device>(handle(info, 0));
  Napi::Object holder = Napi::Object::New(info.Env());
  holder.Set("shape", info[2]);
  if (!info[1].IsNull()) holder.Set("values", info[1]);
  const auto tensor = std::make_shared<UserTensor>();
  tensor->shape = shape(holder, "shape");
  tensor->dtype = device->backend->activation_type();
  const auto values = numbers<double>(holder, "values");
  const int64_t count = element_count(tensor->shape);
  if (!values.empty() && int64_t(values.size()) != count)
    throw Error(Code::ShapeMismatch, "a tensor " + shape_text(tensor->shape) + " was given " +
                                         std::to_string(values.size()) + " elements");
  const Allocator allocate = device->allocator(text(info[3], "owner"));
  tensor->buffer = allocate(size_t(count) * dtype_size(tensor->dtype), Kind::Activations, "tensor");
  if (!values.empty()) write_value(tensor->view(), values, allocate.memory.get());
  return Napi::Number::New(info.Env(), environment.add(tensor));
}

// readTensor(device, tensor) -> Promise<typed array>
Napi::Value read_tensor(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto device = environment.get<Device>(handle(info, 0));
  const auto tensor = environment.get<UserTensor>(handle(info, 1));
  return environment.run(*device, [tensor, backend = device->backend] {
    const HostValue value = read_value(tensor->view(), backend->memory().get());
    return Environment::Reply([value](Napi::Env env) { return typed_array(env, value); });
  });
}

}  // namespace exl
