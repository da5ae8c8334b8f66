// Every op there is.
#include "ops/op.h"

namespace exl {

namespace {

int64_t dim(const Dims& dims, const char* name) { return dims.find(name)->second; }

const Op embed{
    "embed",
    "y[r, :] = table[tokens[r], :]",
    {{"tokens", PortKind::Slot, "rows"}, {"table", PortKind::Weight, "vocabulary hidden"}},
    {{"y", PortKind::Value, "rows hidden"}},
    {},
};

// The mean is taken over the last dimension. `weight` has one row for all, or one per head.
const Op rms_norm{
    "rms_norm",
    "y[r, c] = x[r, c] / sqrt(mean(x[r, :]^2) + eps) * (weight[c] + offset)",
    {{"x", PortKind::Value, "... columns"}, {"weight", PortKind::Weight, "columns|heads columns"}},
    {{"y", PortKind::Value, "... columns"}},
    {{"eps", 0, true}, {"offset", 0, false}},
};

const Op layer_norm{
    "layer_norm",
    "y[r, c] = (x[r, c] - mean(x[r, :])) / sqrt(variance(x[r, :]) + eps) * weight[c] + bias[c]",
    {{"x", PortKind::Value, "... columns"},
     {"weight", PortKind::Weight, "columns"},
     {"bias", PortKind::Weight, "columns", true}},
    {{"y", PortKind::Value, "... columns"}},
    {{"eps", 0, true}},
};

const Op linear{
    "linear",
    "y[r, n] = sum over k of x[r, k] * weight[n, k] + bias[n]",
    {{"x", PortKind::Value, "... in"},
     {"weight", PortKind::Weight, "out in"},
     {"bias", PortKind::Weight, "out", true}},
    {{"y", PortKind::Value, "... out"}},
    {},
};

// Cosines and sines are shared by every layer, so they are computed once per step.
const Op rope_angles{
    "rope_angles",
    "y[r, i] = (cos, sin)(positions[r] * frequencies[i]) * scale",
    {{"positions", PortKind::Slot, "rows"}, {"frequencies", PortKind::Weight, "pairs"}},
    {{"y", PortKind::Value, "rows pairs 2"}},
    {{"scale", 1, false}},
};

// Rotates pairs of the first 2 * pairs elements of every head. Pairs are (i, i + pairs), the halves
// of GPT-NeoX, or with `interleaved` (2i, 2i + 1), as in GPT-J. Su et al., arXiv:2104.09864.
const Op rope{
    "rope",
    "(y[a], y[b]) = (x[a] cos - x[b] sin, x[b] cos + x[a] sin)",
    {{"x", PortKind::Value, "rows heads dim"}, {"angles", PortKind::Value, "rows pairs 2"}},
    {{"y", PortKind::Value, "rows heads dim"}},
    {{"interleaved", 0, false}},
    [](const Dims& dims) -> std::string {
      if (2 * dim(dims, "pairs") <= dim(dims, "dim")) return {};
      return "2 * pairs is " + std::to_string(2 * dim(dims, "pairs")) + ", more than dim " +
             std::to_string(dim(dims, "dim"));
    },
};

// Stores keys (already rotated) and values of this step's rows at their positions.
const Op cache_write{
    "cache_write",
    "cache[sequences[r], positions[r]] = (k[r], v[r])",
    {{"k", PortKind::Value, "rows key_heads dim"},
     {"v", PortKind::Value, "rows key_heads dim"},
     {"cache", PortKind::Cache, "key_heads dim"},
     {"positions", PortKind::Slot, "rows"},
     {"sequences", PortKind::Slot, "rows"},
     {"pages", PortKind::Slot, "sequences pages"}},
    {},
    {},
};

// Causal by position: row r sees positions max(0, p - window + 1) .. p of its sequence, p =
// positions[r]. Query head h reads key head h / (heads / key_heads). softcap 0: none; window 0:
// unlimited.
const Op attention{
    "attention",
    "y = softmax(softcap * tanh(scale * q . k / softcap)) . v",
    {{"q", PortKind::Value, "rows heads dim"},
     {"cache", PortKind::Cache, "key_heads dim"},
     {"positions", PortKind::Slot, "rows"},
     {"sequences", PortKind::Slot, "rows"},
     {"pages", PortKind::Slot, "sequences pages"}},
    {{"y", PortKind::Value, "rows heads dim"}},
    {{"scale", 1, true}, {"window", 0, false}, {"softcap", 0, false}},
    [](const Dims& dims) -> std::string {
      if (dim(dims, "heads") % dim(dims, "key_heads") == 0) return {};
      return std::to_string(dim(dims, "heads")) + " query heads cannot share " +
             std::to_string(dim(dims, "key_heads")) + " key heads evenly";
    },
};

const Op add{
    "add",
    "y = a + b",
    {{"a", PortKind::Value, "... columns"}, {"b", PortKind::Value, "... columns"}},
    {{"y", PortKind::Value, "... columns"}},
    {},
};

// silu(g) = g / (1 + exp(-g)).
const Op silu_mul{
    "silu_mul",
    "y = silu(gate) * up",
    {{"gate", PortKind::Value, "... columns"}, {"up", PortKind::Value, "... columns"}},
    {{"y", PortKind::Value, "... columns"}},
    {},
};

const Op gather_rows{
    "gather_rows",
    "y[i, :] = x[outputs[i], :]",
    {{"x", PortKind::Value, "rows columns"}, {"outputs", PortKind::Slot, "outputs"}},
    {{"y", PortKind::Value, "outputs columns"}},
    {},
};

// Draws one id per output with the sampler of its slot; ids at or above `vocabulary` are padding of
// the head. Consecutive outputs of one sampler check a draft, see sampling/step.h.
const Op sample{
    "sample",
    "ids[i] = samplers[i](logits[i, :vocabulary])",
    {{"logits", PortKind::Value, "outputs padded"},
     {"samplers", PortKind::Slot, "outputs"},
     {"tokens", PortKind::Slot, "rows"},
     {"outputs", PortKind::Slot, "outputs"},
     {"largest", PortKind::Value, "outputs 256", true},
     {"largest_ids", PortKind::Value, "outputs 256", true}},
    {{"ids", PortKind::Value, "outputs"}},
    {{"vocabulary", 0, true}},
};

const Op token_log_prob{
    "token_log_prob",
    "y[i] = log softmax(logits[i, :vocabulary])[targets[i]]",
    {{"logits", PortKind::Value, "outputs padded"}, {"targets", PortKind::Slot, "outputs"}},
    {{"y", PortKind::Value, "outputs"}},
    {{"vocabulary", 0, true}},
};

const Op add_rms_norm{
    "add_rms_norm",
    "sum = a + b, y = rms_norm(sum)",
    {{"a", PortKind::Value, "... columns"},
     {"b", PortKind::Value, "... columns"},
     {"weight", PortKind::Weight, "columns"}},
    {{"sum", PortKind::Value, "... columns"}, {"y", PortKind::Value, "... columns"}},
    {{"eps", 0, true}, {"offset", 0, false}},
};

const Op add_layer_norm{
    "add_layer_norm",
    "sum = a + b, y = layer_norm(sum)",
    {{"a", PortKind::Value, "... columns"},
     {"b", PortKind::Value, "... columns"},
     {"weight", PortKind::Weight, "columns"},
     {"bias", PortKind::Weight, "columns", true}},
    {{"sum", PortKind::Value, "... columns"}, {"y", PortKind::Value, "... columns"}},
    {{"eps", 0, true}},
};

const Op rope_cache_write{
    "rope_cache_write",
    "y = rope(q), cache_write(rope(k), v)",
    {{"q", PortKind::Value, "rows heads dim"},
     {"k", PortKind::Value, "rows key_heads dim"},
     {"v", PortKind::Value, "rows key_heads dim"},
     {"angles", PortKind::Value, "rows pairs 2"},
     {"cache", PortKind::Cache, "key_heads dim"},
     {"positions", PortKind::Slot, "rows"},
     {"sequences", PortKind::Slot, "rows"},
     {"pages", PortKind::Slot, "sequences pages"}},
    {{"y", PortKind::Value, "rows heads dim"}},
    {{"interleaved", 0, false}},
};

// Of equals the lower id comes first.
const Op top_k{
    "top_k",
    "(y[i, :], ids[i, :]) = the 256 largest of logits[i, :vocabulary], in descending order",
    {{"logits", PortKind::Value, "outputs padded"}},
    {{"y", PortKind::Value, "outputs 256"}, {"ids", PortKind::Value, "outputs 256"}},
    {{"vocabulary", 0, true}},
};

}  // namespace

const std::vector<const Op*>& recorded_ops() {
  static const std::vector<const Op*> ops = {
      &embed,     &rms_norm, &layer_norm, &linear,      &rope,   &rope_angles,    &cache_write,
      &attention, &add,      &silu_mul,   &gather_rows, &sample, &token_log_prob,
  };
  return ops;
}

const std::vector<const Op*>& lowered_ops() {
  static const std::vector<const Op*> ops = {&add_rms_norm, &add_layer_norm, &rope_cache_write,
                                             &top_k};
  return ops;
}

}  // namespace exl
