// Base64 with the alphabet of RFC 4648 section 4 and padding. Pure; not in constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

/// Always padded, in one line.
[[nodiscard]] std::string encode_base64(std::string_view bytes);

/// Strictly what encode_base64 writes: no white space, no URL alphabet, no missing padding, no
/// stray bits at the end. Nothing when it is anything else.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace outbox::core
