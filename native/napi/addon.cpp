// What JavaScript sees: flat functions over numbers and typed arrays.
#include "base/error.h"
#include "cpu/kernels.h"
#include "napi/functions.h"
#include "napi/read.h"

namespace exl {

namespace {

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  const Environment* environment = info.Env().GetInstanceData<Environment>();
  // Until there is an ExlError to make, node-addon-api makes plain errors of exceptions.
  if (!environment) return function(info);
  try {
    return function(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(info.Env(), environment->error_of(std::current_exception()));
  }
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<function>>(exports.Env(), name));
}

// initialize(ExlError, notify): once per environment, before anything else.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  if (!info.Env().GetInstanceData<Environment>())
    info.Env().SetInstanceData(
        new Environment(info.Env(), info[0].As<Napi::Function>(), info[1].As<Napi::Function>()));
  return info.Env().Undefined();
}

Napi::Array names(Napi::Env env, const std::vector<Port>& ports) {
  Napi::Array result = Napi::Array::New(env, ports.size());
  for (uint32_t i = 0; i < ports.size(); i++) {
    Napi::Object port = Napi::Object::New(env);
    static constexpr const char* kinds[] = {"value", "weight", "cache", "slot"};
    port.Set("name", ports[i].name);
    port.Set("kind", kinds[int(ports[i].kind)]);
    port.Set("dims", ports[i].dims);
    port.Set("optional", ports[i].optional);
    result.Set(i, port);
  }
  return result;
}

Napi::Object exports_of(Napi::Env env, Napi::Object exports) {
  exports.Set("initialize", Napi::Function::New<initialize>(env, "initialize"));
  add<op_table>(exports, "opTable");
  add<cpu_target>(exports, "cpuTarget");
  add<error_codes>(exports, "errorCodes");
  add<lock_file>(exports, "lockFile");
  add<backends>(exports, "backends");
  add<open_device>(exports, "openDevice");
  add<close_device>(exports, "closeDevice");
  add<drain>(exports, "drain");
  add<release>(exports, "release");
  add<trim>(exports, "trim");
  add<totals>(exports, "totals");
  add<buffers>(exports, "buffers");
  add<create_loader>(exports, "createLoader");
  add<loader_state>(exports, "loaderState");
  add<load_weight>(exports, "loadWeight");
  add<create_cache>(exports, "createCache");
  add<cache_token_bytes>(exports, "cacheTokenBytes");
  add<copy_pages>(exports, "copyPages");
  add<create_tensor>(exports, "createTensor");
  add<read_tensor>(exports, "readTensor");
  add<create_vocabulary>(exports, "createVocabulary");
  add<create_sampler>(exports, "createSampler");
  add<feed_sampler>(exports, "feedSampler");
  add<rewind_sampler>(exports, "rewindSampler");
  add<sampler_distribution>(exports, "samplerDistribution");
  add<sampler_draw>(exports, "samplerDraw");
  add<infer>(exports, "infer");
  add<compile>(exports, "compile");
  add<step>(exports, "step");
  add<set_slots>(exports, "setSlots");
  add<run_op>(exports, "runOp");
  add<read_value>(exports, "readValue");
  add<write_value>(exports, "writeValue");
  return exports;
}

}  // namespace

// opTable() -> [{name, formula, inputs, outputs, attributes}]
Napi::Value op_table(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env, recorded_ops().size());
  for (uint32_t i = 0; i < recorded_ops().size(); i++) {
    const Op& op = *recorded_ops()[i];
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", op.name);
    item.Set("formula", op.formula);
    item.Set("inputs", names(env, op.inputs));
    item.Set("outputs", names(env, op.outputs));
    Napi::Array attributes = Napi::Array::New(env, op.attributes.size());
    for (uint32_t k = 0; k < op.attributes.size(); k++) attributes.Set(k, op.attributes[k].name);
    item.Set("attributes", attributes);
    result.Set(i, item);
  }
  return result;
}

Napi::Value cpu_target(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), cpu::best_target().name);
}

Napi::Value error_codes(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env(), size_t(kCodeCount));
  for (int i = 0; i < kCodeCount; i++) result.Set(uint32_t(i), code_name(Code(i)));
  return result;
}

NODE_API_MODULE(node_exllama, exports_of)

}  // namespace exl
