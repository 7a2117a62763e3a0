// Errors of a configuration as text; see the header.
#include "config/format.hpp"

namespace outbox::config {

std::string format_errors(const std::vector<ConfigError>& errors) {
  std::string out;
  for (const ConfigError& error : errors) {
    out += error.file;
    if (error.line > 0) {
      for (const int number : {error.line, error.column}) {
        out.append(":").append(std::to_string(number));
      }
    }
    out.append(": ").append(error.message).append("\n");
    if (error.hint.empty()) continue;
    out += "  hint: ";
    for (const char c : error.hint) {
      out += c;
      if (c == '\n') out += "    ";
    }
    out += "\n";
  }
  return out;
}

}  // namespace outbox::config
