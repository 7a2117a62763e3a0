// Array texts for libpqxx 6.4, which cannot convert containers.
#include "pg/array.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

namespace outbox::pg {

std::string int_array(const std::vector<std::int64_t>& values) {
  std::string out{"{"};
  for (const auto value : values) {
    if (out.size() > 1) out += ',';
    out += std::to_string(value);
  }
  return out += '}';
}

std::vector<std::int64_t> ints(std::string_view array) {
  std::vector<std::int64_t> out;
  if (array.empty()) return out;
  const char* at = array.data() + 1;
  const char* const end = array.data() + array.size();
  while (at < end && *at != '}') {
    std::int64_t value{};
    const auto read = std::from_chars(at, end, value);
    if (read.ec != std::errc{} || read.ptr == end)
      throw std::invalid_argument{"not an array of integers: " + std::string{array}};
    out.push_back(value);
    at = *read.ptr == ',' ? read.ptr + 1 : read.ptr;
  }
  return out;
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
