// The keys that sign webhooks, as Standard Webhooks writes them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {

struct SigningKey {
  enum class Type { hmac, ed25519 };
  Type type{Type::hmac};
  std::string bytes;  ///< The secret itself: 24 to 64 bytes (hmac) or the seed of 32 (ed25519).
};

/// Either 1 to 8 `keys`, or `problem` and `hint`, which never quote a key.
struct ParsedSigningKeys {
  std::vector<SigningKey> keys;
  std::string problem;  ///< Lower-case, as in "key 2 of 3 is not base64".
  std::string hint;
};

/// Keys separated by spaces or line breaks, the newest first: "whsec_" and base64 of 24 to 64 bytes
/// (HMAC-SHA256, v1), or "whsk_" and base64 of an ed25519 seed of 32 bytes, with its public key or
/// not (v1a).
[[nodiscard]] ParsedSigningKeys parse_signing_keys(std::string_view text);

}  // namespace outbox::core
