// Collects what is wrong with one file, so that all of it is told at once. Owned by one load, on
// its thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/error.hpp"

namespace outbox::config {

/// A place in the file as the parser counts: line from 1, column in bytes from 1.
struct Position {
  int line{1};
  int column{1};
};

class Errors {
 public:
  /// Both must outlive it. `text` serves to count columns in characters.
  Errors(const std::string& file, const std::string& text) : file_{file}, text_{text} {}

  /// After 100 errors the rest is counted, not kept.
  void add(Position at, std::string message, std::string hint);

  [[nodiscard]] bool full() const;
  [[nodiscard]] bool empty() const { return errors_.empty(); }

  /// All of them in the order of the file. Leaves none.
  [[nodiscard]] std::vector<ConfigError> take();

 private:
  [[nodiscard]] int character_column(Position at) const;

  const std::string& file_;
  const std::string& text_;
  std::vector<ConfigError> errors_;
  std::size_t left_out_{};
};

}  // namespace outbox::config
