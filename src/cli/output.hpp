// How results look: tables and moments for people, JSON for programs. Main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "store/moment.hpp"

namespace outbox::cli {

using Json = nlohmann::ordered_json;

/// Writes to stdout at once. Throws core::Error (failed) when that is not possible, as on a full
/// disk.
void print(const std::string& text);

/// One JSON document, indented, with a line break at its end; bad UTF-8 replaced.
[[nodiscard]] std::string document(const Json& json);

/// Ids are strings in JSON: above 2^53 many readers would change a number silently.
[[nodiscard]] Json json_id(std::int64_t id);
[[nodiscard]] Json json_moment(const std::optional<store::Moment>& moment);
[[nodiscard]] Json json_text(const std::string& text);  ///< null when empty.

/// 2026-11-21T10:00:00.123456Z; years 1 to 9999.
[[nodiscard]] std::string iso(store::Moment moment);

/// "2026-11-21 10:00:00Z, 3 min ago" or "…, in 3 min".
[[nodiscard]] std::string when(store::Moment moment, store::Moment now);

/// "12 s", "3 min", "5 h", "9 d"; below ten of a unit with what is left: "3 min 20 s".
[[nodiscard]] std::string duration(double seconds);

/// `text` with spaces up to `width` bytes.
[[nodiscard]] std::string padded(std::string text, std::size_t width);

/// Columns as wide as their longest cell; cells made printable and cut. The last column is not
/// padded.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align{Align::left};
    std::size_t most{63};  ///< Bytes shown of a cell.
  };

  explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}
  /// As many cells as there are columns.
  void add(const std::vector<std::string>& cells);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace outbox::cli
