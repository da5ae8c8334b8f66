#include "napi/read.h"

#include <cmath>

#include "base/error.h"

namespace exl {

namespace {

[[noreturn]] void fail(const char* name, const char* expected) {
  throw Error(Code::InvalidArgument, std::string(name) + " is not " + expected);
}

Dtype dtype(const std::string& name) {
  for (const Dtype candidate : {Dtype::F32, Dtype::F16, Dtype::BF16})
    if (name == dtype_name(candidate)) return candidate;
  throw Error(Code::FormatUnsupported, "weights of type " + name + " are not supported");
}

using LoaderPtr = std::shared_ptr<Loader>;

ByteSource bytes(const Napi::Object& parent, const char* name, const LoaderPtr& loader) {
  const Napi::Value value = field(parent, name);
  ByteSource source;
  if (value.IsTypedArray()) {
    const auto typed = value.As<Napi::TypedArray>();
    source.length = typed.ByteLength();
    const std::shared_ptr<std::byte[]> copy(new std::byte[source.length]);
    const auto* from = static_cast<const std::byte*>(typed.ArrayBuffer().Data());
    if (source.length) std::memcpy(copy.get(), from + typed.ByteOffset(), source.length);
    source.memory = std::shared_ptr<const std::byte>(copy, copy.get());
    return source;
  }
  if (!loader) fail(name, "a typed array");
  const Napi::Object region = object(value, name);
  source.loader = loader;
  source.path = text(region, "file");
  source.offset = uint64_t(integer(region, "offset"));
  source.length = uint64_t(integer(region, "length"));
  return source;
}

FloatSource float_source(const Napi::Object& from, const LoaderPtr& loader) {
  FloatSource source{dtype(text(from, "dtype")), shape(from, "shape"), bytes(from, "data", loader)};
  int64_t count = 1;
  for (const int64_t d : source.shape) {
    if (d < 1 || d > (int64_t(1) << 40) / count)
      throw Error(Code::ShapeMismatch, shape_text(source.shape) + " is out of range");
    count *= d;
  }
  const uint64_t expected = uint64_t(count) * dtype_size(source.dtype);
  if (source.shape.empty() || source.shape.size() > 2 || source.data.length != expected)
    throw Error(Code::ShapeMismatch, "a tensor " + shape_text(source.shape) + " of " +
                                         dtype_name(source.dtype) + " has " +
                                         std::to_string(source.data.length) + " bytes, expected " +
                                         std::to_string(expected));
  return source;
}

QuantSource quant_source(const Napi::Object& from, const LoaderPtr& loader) {
  QuantSource source;
  source.in = integer(from, "inFeatures");
  source.out = integer(from, "outFeatures");
  const std::vector<int32_t> groups = numbers<int32_t>(from, "groups");
  for (size_t i = 0; i + 1 < groups.size(); i += 2)
    source.groups.push_back({groups[i], groups[i + 1]});
  source.permutation = numbers<int32_t>(from, "permutation");
  source.stored_rows = numbers<int32_t>(from, "storedRows");
  source.words = bytes(from, "words", loader);
  const Napi::Object scales = object(field(from, "scales"), "scales");
  if (text(scales, "kind") == "exl2")
    source.scales = Exl2Scales{bytes(scales, "codes", loader), numbers<uint16_t>(scales, "max")};
  else
    source.scales = GptqScales{dtype(text(scales, "dtype")), bytes(scales, "data", loader),
                               bytes(scales, "zeros", loader), int(integer(scales, "zeroOffset"))};
  source.validate();
  return source;
}

}  // namespace

Napi::Value field(const Napi::Object& object, const char* name) { return object.Get(name); }

bool has(const Napi::Object& object, const char* name) {
  return !field(object, name).IsUndefined();
}

int64_t integer(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) fail(name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (std::floor(number) != number || std::fabs(number) > 0x1p53) fail(name, "an integer");
  return int64_t(number);
}

int64_t integer(const Napi::Object& object, const char* name) {
  return integer(field(object, name), name);
}

double number(const Napi::Object& object, const char* name) {
  const Napi::Value value = field(object, name);
  if (!value.IsNumber()) fail(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::string text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) fail(name, "a string");
  return value.As<Napi::String>();
}

std::string text(const Napi::Object& object, const char* name) {
  return text(field(object, name), name);
}

Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) fail(name, "an object");
  return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Object& object, const char* name) {
  const Napi::Value value = field(object, name);
  if (!value.IsArray()) fail(name, "an array");
  return value.As<Napi::Array>();
}

Shape shape(const Napi::Object& object, const char* name) {
  const Napi::Array dims = array(object, name);
  Shape result;
  for (uint32_t i = 0; i < dims.Length(); i++) result.push_back(integer(dims.Get(i), name));
  return result;
}

WeightSource weight_source(const Napi::Object& from, LoaderPtr loader) {
  if (text(from, "format") == "float") return float_source(from, loader);
  return quant_source(from, loader);
}

}  // namespace exl
