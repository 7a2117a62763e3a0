// The address of the HTTP endpoint as one text: "off", "9464", "127.0.0.1:9464", "[::1]:9464".
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/options.hpp"

namespace outbox::config {

/// Either `admin`, or `problem` and `hint`.
struct ParsedListen {
  std::optional<core::AdminOptions> admin;
  std::string problem;
  std::string hint;
};

[[nodiscard]] ParsedListen parse_listen(std::string_view text);

/// Parses back to the same, "off" when there is no port.
[[nodiscard]] std::string format_listen(const core::AdminOptions& admin);

}  // namespace outbox::config
