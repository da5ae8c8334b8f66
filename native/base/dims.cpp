#include "base/dims.h"

#include <cctype>
#include <sstream>
#include <vector>

namespace exl {

namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

bool is_number(const std::string& word) {
  return std::isdigit(static_cast<unsigned char>(word[0])) != 0;
}

std::string size_text(int64_t size) {
  return size == kRows ? "rows" : size == kOutputs ? "outputs" : std::to_string(size);
}

}  // namespace

std::string DimBinding::match(const std::string& pattern, const char* port, const Shape& shape) {
  std::vector<std::string> names = words(pattern);
  const std::string is = std::string(port) + " is " + shape_text(shape);
  const bool leading = !names.empty() && names[0] == "...";
  if (leading) names.erase(names.begin());
  if (leading ? shape.size() < names.size() : shape.size() != names.size())
    return is + ", expected [" + pattern + "]";

  const size_t skipped = shape.size() - names.size();
  if (leading) {
    const Shape lead(shape.begin(), shape.begin() + long(skipped));
    if (has_leading_ && lead != leading_)
      return is + ", expected to begin with " + shape_text(leading_);
    leading_ = lead;
    has_leading_ = true;
  }
  for (size_t i = 0; i < names.size(); i++) {
    const int64_t size = shape[skipped + i];
    if (const size_t slash = names[i].find('/'); slash != std::string::npos) {
      const int64_t divisor = std::stoll(names[i].substr(slash + 1));
      if (size * divisor != dims_.at(names[i].substr(0, slash)))
        return is + ", expected [" + pattern + "]";
    } else if (is_number(names[i])) {
      if (size != std::stoll(names[i])) return is + ", expected [" + pattern + "]";
    } else {
      const auto [known, fresh] = dims_.emplace(names[i], size);
      if (fresh)
        from_.emplace(names[i], port);
      else if (known->second != size)
        return names[i] + " is " + size_text(known->second) + " in " + from_[names[i]] + " but " +
               size_text(size) + " in " + port;
    }
  }
  return {};
}

std::string DimBinding::bind(const char* patterns, const char* port, const Shape& shape) {
  std::istringstream stream(patterns);
  std::string objection;
  for (std::string pattern; std::getline(stream, pattern, '|');) {
    DimBinding attempt = *this;
    objection = attempt.match(pattern, port, shape);
    if (objection.empty()) {
      *this = std::move(attempt);
      return {};
    }
  }
  return objection;
}

Shape DimBinding::shape(const char* pattern) const {
  Shape shape;
  for (const std::string& name : words(pattern)) {
    if (name == "...")
      shape.insert(shape.end(), leading_.begin(), leading_.end());
    else
      shape.push_back(is_number(name) ? std::stoll(name) : dims_.at(name));
  }
  return shape;
}

}  // namespace exl
