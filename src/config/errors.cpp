// Collects what is wrong with one file; see the header.
#include "config/errors.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "config/text.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kMostErrors = 100;

}  // namespace

void Errors::add(Position at, std::string message, std::string hint) {
  if (full()) {
    ++left_out_;
    return;
  }
  errors_.push_back({file_, at.line, character_column(at), std::move(message), std::move(hint)});
}

bool Errors::full() const { return errors_.size() >= kMostErrors; }

std::vector<ConfigError> Errors::take() {
  std::stable_sort(errors_.begin(), errors_.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  if (left_out_ > 0) {
    errors_.push_back({file_, 0, 0, std::to_string(left_out_) + " more errors are not shown",
                       "mend these first"});
    left_out_ = 0;
  }
  return std::exchange(errors_, {});
}

int Errors::character_column(Position at) const {
  std::size_t begin = 0;
  for (int line = 1; line < at.line; ++line) {
    const std::size_t newline = text_.find('\n', begin);
    if (newline == std::string::npos) return at.column;
    begin = newline + 1;
  }
  const auto bytes = static_cast<std::size_t>(std::max(at.column, 1) - 1);
  const std::string_view before = std::string_view{text_}.substr(begin, bytes);
  return static_cast<int>(count_characters(before)) + 1;
}

}  // namespace outbox::config
