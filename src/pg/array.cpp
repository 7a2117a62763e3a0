// Array texts for libpqxx 6.4, which cannot convert containers.
#include "pg/array.hpp"

#include <array>
#include <charconv>

namespace outbox::pg {

std::string int_array(const std::vector<std::int64_t>& values) {
  std::string out{"{"};
  for (const auto value : values) {
    if (out.size() > 1) out += ',';
    out += std::to_string(value);
  }
  return out += '}';
}

std::string text_array(const std::vector<std::string>& values, Empty empty) {
  std::string out{"{"};
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    if (value.empty() && empty == Empty::is_null) {
      out += "NULL";
      continue;
    }
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out += '}';
}

std::string double_array(const std::vector<double>& values) {
  std::string out{"{"};
  for (const auto value : values) {
    if (out.size() > 1) out += ',';
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
  }
  return out += '}';
}

}  // namespace outbox::pg
