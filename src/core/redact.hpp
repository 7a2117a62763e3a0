// Takes secrets out of text that people or logs will see. Pure.
#pragma once

#include <string>
#include <string_view>

namespace outbox::core {

/// A connection string (URL or key=value) with the value of every password replaced by "[secret]",
/// the rest byte for byte as it was. A text that cannot be read as either is replaced as a whole.
[[nodiscard]] std::string redact_url(std::string_view url);

}  // namespace outbox::core
