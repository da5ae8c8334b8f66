#include "core/lower.h"

#include <algorithm>

#include "ops/add.h"
#include "ops/cache_write.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/sample.h"

namespace exl {

namespace {

using Ops = std::vector<OpRecord>;

bool is(const OpRecord& record, const Op& op) { return record.op == &op; }

bool is_value(const Operand& operand) { return operand.kind == Operand::Kind::Value; }

bool same_value(const Operand& a, const Operand& b) {
  return is_value(a) && is_value(b) && a.value == b.value && a.shape == b.shape;
}

bool reads(const OpRecord& record, const Operand& value) {
  return std::any_of(record.inputs.begin(), record.inputs.end(), [&](const Operand& input) {
    return is_value(input) && input.value == value.value;
  });
}

// How many ops read a value, and whether a step returns it.
int64_t readers(const Recording& recording, const Operand& value) {
  return std::count_if(recording.ops.begin(), recording.ops.end(),
                       [&](const OpRecord& record) { return reads(record, value); }) +
         std::count(recording.results.begin(), recording.results.end(), value.value);
}

bool runs(const Backend& backend, const Recording& recording, const OpRecord& record) {
  Call call = unbound_call(record, recording, value_types(recording, backend));
  std::string objections;
  return backend.find_kernel(call, objections) != nullptr;
}

// x + y, then the norm of the sum.
void fuse_norm(Recording& r, const Backend& backend, size_t at) {
  if (at + 1 >= r.ops.size() || !is(r.ops[at], ops::add)) return;
  const OpRecord &sum = r.ops[at], &norm = r.ops[at + 1];
  const Op* const op = is(norm, ops::rms_norm)     ? &ops::add_rms_norm
                       : is(norm, ops::layer_norm) ? &ops::add_layer_norm
                                                   : nullptr;
  if (!op || !same_value(sum.outputs[0], norm.inputs[0]) || !is_value(norm.outputs[0])) return;
  OpRecord fused{op,
                 norm.path,
                 {sum.inputs[0], sum.inputs[1]},
                 {sum.outputs[0], norm.outputs[0]},
                 norm.attributes};
  fused.inputs.insert(fused.inputs.end(), norm.inputs.begin() + 1, norm.inputs.end());
  if (!runs(backend, r, fused)) return;
  r.ops[at] = std::move(fused);
  r.ops.erase(r.ops.begin() + long(at) + 1);
}

// Queries and keys turn by the same angles, then keys and values are stored.
void fuse_rope(Recording& r, const Backend& backend, size_t at) {
  if (!is(r.ops[at], ops::cache_write)) return;
  const OpRecord& write = r.ops[at];
  if (!is_value(write.inputs[1]) || readers(r, write.inputs[0]) != 1) return;
  // Turned queries may not be wanted before the keys are stored.
  size_t keys = at, queries = at;
  for (size_t i = at; i-- > 0 && !is(r.ops[i], ops::cache_write);) {
    if (!is(r.ops[i], ops::rope)) continue;
    if (same_value(r.ops[i].outputs[0], write.inputs[0])) {
      keys = i;
    } else if (queries == at && is_value(r.ops[i].outputs[0])) {
      queries = i;
    }
  }
  if (keys == at || queries == at) return;
  const OpRecord &q = r.ops[queries], &k = r.ops[keys];
  if (!same_value(q.inputs[1], k.inputs[1]) || q.attributes != k.attributes) return;
  for (size_t i = queries; i < at; i++)
    if (reads(r.ops[i], q.outputs[0])) return;
  OpRecord fused{&ops::rope_cache_write,
                 write.path,
                 {q.inputs[0], k.inputs[0], write.inputs[1], k.inputs[1]},
                 {q.outputs[0]},
                 q.attributes};
  fused.inputs.insert(fused.inputs.end(), write.inputs.begin() + 2, write.inputs.end());
  if (!runs(backend, r, fused)) return;
  r.ops[at] = std::move(fused);
  r.ops.erase(r.ops.begin() + long(std::max(keys, queries)));
  r.ops.erase(r.ops.begin() + long(std::min(keys, queries)));
}

// Linear layers follow the first that reads the same input.
void gather_linears(Ops& ops, size_t at) {
  if (!is(ops[at], ops::linear)) return;
  size_t end = at + 1;
  for (size_t i = at + 1; i < ops.size(); i++) {
    if (!is(ops[i], ops::linear) || !same_value(ops[i].inputs[0], ops[at].inputs[0])) continue;
    std::rotate(ops.begin() + long(end), ops.begin() + long(i), ops.begin() + long(i) + 1);
    end++;
  }
}

// The largest logits are all that most samplers look at.
void pick_logits(Recording& r, const Backend& backend, size_t at) {
  OpRecord& draw = r.ops[at];
  if (!is(draw, ops::sample) || !is_value(draw.inputs[0])) return;
  const double vocabulary = draw.attributes[size_t(draw.op->attribute_index("vocabulary"))];
  const Op& op = ops::top_k;
  std::vector<Operand> outputs;
  for (const Shape& shape : infer_shapes(op, {draw.inputs[0].shape})) {
    Operand operand;
    operand.kind = Operand::Kind::Value;
    operand.value = int(r.values.size());
    operand.shape = shape;
    outputs.push_back(operand);
    r.values.push_back(shape);
  }
  OpRecord pick{&op, draw.path, {draw.inputs[0]}, outputs, {vocabulary}};
  Recording with = r;
  with.ops.insert(with.ops.begin() + long(at), pick);
  if (!runs(backend, with, pick)) {
    r.values.resize(r.values.size() - outputs.size());
    return;
  }
  for (size_t i = 0; i < outputs.size(); i++)
    with.ops[at + 1].inputs[draw.inputs.size() - outputs.size() + i] = outputs[i];
  r = std::move(with);
}

}  // namespace

void lower(Recording& recording, const Backend& backend) {
  // From the end, for what is fused takes its place from ops before it.
  for (size_t i = recording.ops.size(); i-- > 0;) {
    if (i >= recording.ops.size()) continue;
    fuse_norm(recording, backend, i);
    fuse_rope(recording, backend, i);
  }
  for (size_t i = 0; i < recording.ops.size(); i++) gather_linears(recording.ops, i);
  for (size_t i = 0; i < recording.ops.size(); i++)
    if (is(recording.ops[i], ops::sample)) return pick_logits(recording, backend, i);
}

}  // namespace exl
