#include "napi/read.h"

#include <cmath>

#include "base/error.h"

namespace exl {

namespace {

[[noreturn]] void fail(const char* name, const char* expected) {
  throw Error(Code::InvalidArgument, std::string(name) + " is not " + expected);
}

Dtype dtype(const std::string& name) {
  for (const Dtype candidate : {Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I32})
    if (name == dtype_name(candidate)) return candidate;
  throw Error(Code::FormatUnsupported, "weights of type " + name + " are not supported");
}

using LoaderPtr = std::shared_ptr<Loader>;

ByteSource bytes(const Napi::Value& value, const LoaderPtr& loader) {
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
  if (!loader) fail("data", "a typed array");
  const Napi::Object region = object(value, "data");
  source.loader = loader;
  source.path = text(region, "file");
  source.offset = uint64_t(integer(region, "offset"));
  source.length = uint64_t(integer(region, "length"));
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
  WeightSource source{&find_format(text(from, "format")), shape(from, "shape"), {}, {}};
  const Napi::Object pieces = object(field(from, "pieces"), "pieces");
  for (const Piece& declared : source.format->pieces) {
    if (!has(pieces, declared.name)) continue;
    const Napi::Object piece = object(field(pieces, declared.name), declared.name);
    source.pieces[declared.name] = {dtype(text(piece, "dtype")), shape(piece, "shape"),
                                    bytes(field(piece, "data"), loader)};
  }
  for (const char* name : source.format->numbers)
    source.numbers[name] = number(object(field(from, "numbers"), "numbers"), name);
  source.validate();
  return source;
}

}  // namespace exl
