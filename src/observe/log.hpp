// Log lines: one event each, with typed fields, for people or as JSON, to stderr. Any thread, but
// for init_log().
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/options.hpp"

namespace outbox::observe {

enum class Level { trace, debug, info, warn, error };

/// Longest text of one field; the rest is cut.
inline constexpr std::size_t kLogTextMax = 2'048;

/// Before any other thread logs; without it: info, for people. "info" when the level is none of
/// core::LogOptions. Lines are written one at a time and at once: nothing is lost when the process
/// dies.
void init_log(const core::LogOptions& options);

/// The same to a stream, for tests; `out` must outlive the logging.
void init_log(const core::LogOptions& options, std::ostream& out);

/// Whether a line of this level would be written: ask before building costly fields.
[[nodiscard]] bool logs(Level level);

/// Collects the fields of one line; write() sends it. Texts are made printable, so that no value
/// can forge a line or a field, and cut at kLogTextMax. `event` and keys are ours: static,
/// lower-case, without spaces.
class Line {
 public:
  Line(Level level, const char* event) : level_{level}, event_{event} {}

  Line& text(const char* key, std::string_view value);
  Line& number(const char* key, std::int64_t value);
  Line& flag(const char* key, bool value);
  /// In milliseconds with three decimals; the key should end in _ms.
  Line& duration(const char* key, std::chrono::microseconds value);
  void write() const;

 private:
  Level level_;
  const char* event_;
  nlohmann::ordered_json fields_ = nlohmann::ordered_json::object();
};

}  // namespace outbox::observe
