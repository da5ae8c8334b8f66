// Compiling and running programs.
#include "base/error.h"
#include "napi/functions.h"
#include "napi/read.h"

namespace exl {

namespace {

Operand operand(const Environment& environment, const Napi::Value& value) {
  Operand result;
  if (value.IsNull() || value.IsUndefined()) return result;
  const Napi::Object from = object(value, "operand");
  result.shape = shape(from, "shape");
  if (has(from, "value")) {
    result.kind = Operand::Kind::Value;
    result.value = int(integer(from, "value"));
  } else if (has(from, "weight")) {
    result.kind = Operand::Kind::Weight;
    result.weight = environment.get<Weight>(uint32_t(integer(from, "weight")));
    if (result.shape != result.weight->shape)
      throw Error(Code::ShapeMismatch, "a weight " + shape_text(result.weight->shape) +
                                           " was recorded as " + shape_text(result.shape));
  } else if (has(from, "layer")) {
    result.kind = Operand::Kind::Cache;
    result.value = int(integer(from, "layer"));
  } else if (has(from, "slot")) {
    result.kind = Operand::Kind::Slot;
    result.slot = slot_named(text(from, "slot"));
  } else {
    const auto tensor = environment.get<UserTensor>(uint32_t(integer(from, "tensor")));
    if (element_count(tensor->shape) != element_count(result.shape))
      throw Error(Code::ShapeMismatch, "a tensor " + shape_text(tensor->shape) +
                                           " was recorded as " + shape_text(result.shape));
    result.kind = Operand::Kind::Tensor;
    result.tensor = {tensor->dtype, result.shape, tensor->buffer->data()};
    result.keep = tensor->buffer;
  }
  return result;
}

Recording recording(const Environment& environment, const Napi::Object& from) {
  Recording result;
  const Napi::Array values = array(from, "values");
  for (uint32_t i = 0; i < values.Length(); i++)
    result.values.push_back(shape(object(values.Get(i), "value"), "shape"));

  const Napi::Array ops = array(from, "ops");
  for (uint32_t i = 0; i < ops.Length(); i++) {
    const Napi::Object op = object(ops.Get(i), "op");
    OpRecord record{&find_op(text(op, "op")), text(op, "path"), {}, {}, {}};
    const Napi::Array inputs = array(op, "inputs"), outputs = array(op, "outputs");
    for (uint32_t k = 0; k < inputs.Length(); k++)
      record.inputs.push_back(operand(environment, inputs.Get(k)));
    for (uint32_t k = 0; k < outputs.Length(); k++)
      record.outputs.push_back(operand(environment, outputs.Get(k)));
    const Napi::Object attributes = object(field(op, "attributes"), "attributes");
    for (const Attribute& attribute : record.op->attributes) {
      if (attribute.required || has(attributes, attribute.name))
        record.attributes.push_back(number(attributes, attribute.name));
      else
        record.attributes.push_back(attribute.fallback);
    }
    for (const auto* operands : {&record.inputs, &record.outputs})
      for (const Operand& o : *operands)
        if (o.kind == Operand::Kind::Value &&
            (o.value < 0 || size_t(o.value) >= result.values.size()))
          throw Error(Code::InvalidArgument, "there is no value " + std::to_string(o.value));
    result.ops.push_back(std::move(record));
  }

  for (const int32_t value : numbers<int32_t>(from, "results")) result.results.push_back(value);
  if (has(from, "cache")) result.cache = environment.get<Cache>(uint32_t(integer(from, "cache")));
  for (const OpRecord& record : result.ops)
    for (const Operand& input : record.inputs)
      if (input.kind == Operand::Kind::Cache &&
          (!result.cache || input.value < 0 || size_t(input.value) >= result.cache->layers.size() ||
           input.shape != Shape{result.cache->layers[0].key_heads, result.cache->layers[0].dim}))
        throw Error(Code::ShapeMismatch, "the cache does not fit", record.path);
  result.max_rows = integer(from, "maxRows");
  result.max_outputs = integer(from, "maxOutputs");
  result.max_sequences = integer(from, "maxSequences");
  result.pages_per_sequence = integer(from, "pagesPerSequence");
  result.threads = int(integer(from, "threads"));
  result.lowered = !has(from, "lowered") || field(from, "lowered").ToBoolean();
  return result;
}

SlotValues slot_values(const Environment& environment, const Napi::Object& from) {
  SlotValues slots;
  for (int i = 0; i < kSlotCount; i++) {
    const std::string name(kSlotNames[size_t(i)]);
    if (Slot(i) != Slot::Samplers) slots.ints[size_t(i)] = numbers<int32_t>(from, name.c_str());
  }
  for (const int32_t handle : numbers<int32_t>(from, "samplers"))
    slots.samplers.push_back(environment.get<Sampler>(uint32_t(handle)));
  return slots;
}

template <typename T>
Napi::Value typed_array_of(Napi::Env env, Dtype dtype, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return typed_array(env, HostValue{dtype, {bytes, bytes + values.size() * sizeof(T)}});
}

Napi::Value to_javascript(Napi::Env env, const Observation& seen) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("id", seen.id);
  result.Set("logProb", double(seen.log_prob));
  result.Set("topIds", typed_array_of(env, Dtype::I32, seen.top_ids));
  result.Set("topLogProbs", typed_array_of(env, Dtype::F32, seen.top_log_probs));
  if (!seen.logits.empty()) result.Set("logits", typed_array_of(env, Dtype::F32, seen.logits));
  return result;
}

// {results, observations}: what the program returns, and what samplers of the step saw, in its
// order.
Environment::Reply step_reply(const Program& program, const SlotValues& slots) {
  std::vector<HostValue> values;
  for (const int value : program.results()) values.push_back(program.read(size_t(value)));
  std::vector<Observation> observations;
  for (const auto& sampler : slots.samplers)
    for (Observation& seen : sampler->take_observations()) observations.push_back(std::move(seen));
  return [values = std::move(values),
          observations = std::move(observations)](Napi::Env env) -> Napi::Value {
    Napi::Array results = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) results.Set(i, typed_array(env, values[i]));
    Napi::Object reply = Napi::Object::New(env);
    reply.Set("results", results);
    if (observations.empty()) return reply;
    Napi::Array seen = Napi::Array::New(env, observations.size());
    for (uint32_t i = 0; i < observations.size(); i++)
      seen.Set(i, to_javascript(env, observations[i]));
    reply.Set("observations", seen);
    return reply;
  };
}

struct OnProgram {
  std::shared_ptr<Program> program;
  Device* device;
  Environment* environment;

  explicit OnProgram(const Napi::CallbackInfo& info) : environment(&Environment::of(info.Env())) {
    device = environment->get<Device>(handle(info, 0)).get();
    program = environment->get<Program>(handle(info, 1));
  }
};

Environment::Reply nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

}  // namespace

Napi::Value typed_array(Napi::Env env, const HostValue& value) {
  const auto& [dtype, bytes] = value;
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.Data(), bytes.data(), bytes.size());
  const size_t count = bytes.size() / dtype_size(dtype);
  if (dtype == Dtype::F64) return Napi::Float64Array::New(env, count, buffer, 0);
  if (dtype == Dtype::I32) return Napi::Int32Array::New(env, count, buffer, 0);
  return Napi::Float32Array::New(env, count, buffer, 0);
}

// infer(op, shapes) -> shapes of the outputs
Napi::Value infer(const Napi::CallbackInfo& info) {
  const Op& op = find_op(text(info[0], "op"));
  const Napi::Array from = info[1].As<Napi::Array>();
  std::vector<Shape> inputs;
  for (uint32_t i = 0; i < from.Length(); i++) {
    const Napi::Value value = from.Get(i);
    Shape dims;
    if (value.IsArray()) {
      const auto list = value.As<Napi::Array>();
      for (uint32_t k = 0; k < list.Length(); k++) dims.push_back(integer(list.Get(k), "shape"));
    }
    inputs.push_back(std::move(dims));
  }
  const std::vector<Shape> outputs = infer_shapes(op, inputs);
  Napi::Array result = Napi::Array::New(info.Env(), outputs.size());
  for (uint32_t i = 0; i < outputs.size(); i++) {
    Napi::Array dims = Napi::Array::New(info.Env(), outputs[i].size());
    for (uint32_t k = 0; k < outputs[i].size(); k++) dims.Set(k, double(outputs[i][k]));
    result.Set(i, dims);
  }
  return result;
}

// compile(device, recording, owner) -> Promise<program>
Napi::Value compile(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const auto device = environment.get<Device>(handle(info, 0));
  auto recorded = std::make_shared<Recording>(recording(environment, object(info[1], "recording")));
  const Allocator allocate = device->allocator(text(info[2], "owner"));
  return environment.run(*device, [=, &environment, backend = device->backend] {
    const auto program = std::make_shared<Program>(backend, std::move(*recorded), allocate);
    return Environment::Reply([program, &environment](Napi::Env env) -> Napi::Value {
      return Napi::Number::New(env, environment.add(program));
    });
  });
}

// step(device, program, slots) -> Promise<{results, observations}>
Napi::Value step(const Napi::CallbackInfo& info) {
  const OnProgram on(info);
  const auto slots =
      std::make_shared<SlotValues>(slot_values(*on.environment, object(info[2], "slots")));
  return on.environment->run(*on.device, [program = on.program, slots, device = on.device] {
    program->set_slots(*slots);
    program->run(device->engine.stopping());
    return step_reply(*program, *slots);
  });
}

// setSlots(device, program, slots), runOp(device, program, index): the same program op by op.
Napi::Value set_slots(const Napi::CallbackInfo& info) {
  const OnProgram on(info);
  const auto slots =
      std::make_shared<SlotValues>(slot_values(*on.environment, object(info[2], "slots")));
  return on.environment->run(*on.device, [program = on.program, slots] {
    program->set_slots(*slots);
    return nothing();
  });
}

Napi::Value run_op(const Napi::CallbackInfo& info) {
  const OnProgram on(info);
  const int64_t index = integer(info[2], "index");
  return on.environment->run(*on.device, [program = on.program, index] {
    if (index < 0 || size_t(index) >= program->op_count())
      throw Error(Code::InvalidArgument, "there is no op " + std::to_string(index));
    program->run_op(size_t(index));
    return nothing();
  });
}

// readValue(device, program, value) -> Promise<typed array>
Napi::Value read_value(const Napi::CallbackInfo& info) {
  const OnProgram on(info);
  const int64_t value = integer(info[2], "value");
  return on.environment->run(*on.device, [program = on.program, value] {
    return Environment::Reply(
        [read = program->read(size_t(value))](Napi::Env env) { return typed_array(env, read); });
  });
}

// writeValue(device, program, value, Float64Array)
Napi::Value write_value(const Napi::CallbackInfo& info) {
  const OnProgram on(info);
  const int64_t value = integer(info[2], "value");
  Napi::Object holder = Napi::Object::New(info.Env());
  holder.Set("values", info[3]);
  const auto values = std::make_shared<std::vector<double>>(numbers<double>(holder, "values"));
  return on.environment->run(*on.device, [program = on.program, value, values] {
    program->write(size_t(value), *values);
    return nothing();
  });
}

}  // namespace exl
