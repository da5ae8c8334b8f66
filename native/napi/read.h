// Reading what lib/native sends. These checks guard against mistakes of our own TypeScript; users'
// arguments are checked there, with better words.
#pragma once

#include <napi.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "core/program.h"
#include "formats/weight_source.h"

namespace exl {

Napi::Value field(const Napi::Object& object, const char* name);
bool has(const Napi::Object& object, const char* name);
int64_t integer(const Napi::Value& value, const char* name);
int64_t integer(const Napi::Object& object, const char* name);
double number(const Napi::Object& object, const char* name);
std::string text(const Napi::Value& value, const char* name);
std::string text(const Napi::Object& object, const char* name);
Napi::Object object(const Napi::Value& value, const char* name);
Napi::Array array(const Napi::Object& object, const char* name);
Shape shape(const Napi::Object& object, const char* name);

// Copies a typed array of T; absent fields give an empty vector.
template <typename T>
std::vector<T> numbers(const Napi::Object& object, const char* name) {
  if (!has(object, name)) return {};
  const Napi::Value value = field(object, name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().ElementSize() != sizeof(T))
    throw Error(Code::InvalidArgument, std::string(name) + " is not a typed array of " +
                                           std::to_string(sizeof(T)) + "-byte elements");
  const auto typed = value.As<Napi::TypedArray>();
  std::vector<T> result(typed.ElementLength());
  const auto* from = static_cast<const std::byte*>(typed.ArrayBuffer().Data());
  if (!result.empty()) std::memcpy(result.data(), from + typed.ByteOffset(), typed.ByteLength());
  return result;
}

// Pieces of files are read by `loader`, which may be null if there are none.
WeightSource weight_source(const Napi::Object& object, std::shared_ptr<Loader> loader);

}  // namespace exl
