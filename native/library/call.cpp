#include "base/error.h"
#include "library/backend.h"

namespace exl {

namespace {

ExlTensor tensor_of(const Tensor& tensor) {
  ExlTensor result{tensor.data, int32_t(tensor.dtype), int32_t(tensor.shape.size()), {}};
  for (size_t i = 0; i < tensor.shape.size(); i++) result.dims[i] = tensor.shape[i];
  return result;
}

ExlCacheSide side_of(const CacheSide& side) {
  const auto code = [&] {
    switch (side.code) {
      case CacheCode::E5M2:
        return EXL_CACHE_E5M2;
      case CacheCode::Int8:
        return EXL_CACHE_INT8;
      case CacheCode::Int4:
        return EXL_CACHE_INT4;
      default:
        return EXL_CACHE_PLAIN;
    }
  };
  return {side.codes->data(), side.scales ? side.scales->data() : nullptr, int32_t(code()),
          int32_t(side.group)};
}

ExlLayerCache cache_of(const LayerCache& cache) {
  return {cache.pages, cache.key_heads, cache.dim, side_of(cache.keys), side_of(cache.values)};
}

}  // namespace

LibraryCall::LibraryCall(const Call& call, void* scratch) {
  inputs_.resize(call.inputs.size());
  caches_.resize(call.inputs.size());
  outputs_.resize(call.outputs.size());
  attribute_names_.resize(call.attributes.size());
  for (size_t i = 0; i < call.inputs.size(); i++) {
    const Call::Operand& from = call.inputs[i];
    inputs_[i].tensor = tensor_of(from.tensor);
    if (from.weight) {
      const auto* weight = dynamic_cast<const LibraryWeight*>(from.weight.get());
      if (!weight) throw Error(Code::InvalidArgument, "a weight of another device", call.path);
      inputs_[i].weight = weight->handle;
    }
    if (from.cache) {
      caches_[i] = cache_of(*from.cache);
      inputs_[i].cache = &caches_[i];
    }
  }
  for (size_t i = 0; i < call.outputs.size(); i++) outputs_[i] = tensor_of(call.outputs[i]);
  for (size_t i = 0; i < call.attributes.size(); i++)
    attribute_names_[i] = call.op->attributes[i].name;
  call_ = {call.op->name,
           call.path.c_str(),
           inputs_.data(),
           int32_t(call.inputs.size()),
           outputs_.data(),
           int32_t(call.outputs.size()),
           call.attributes.data(),
           attribute_names_.data(),
           int32_t(call.attributes.size()),
           scratch};
}

}  // namespace exl
