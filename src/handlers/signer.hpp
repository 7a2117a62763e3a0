// Signatures of Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/signing_key.hpp"

namespace outbox::handlers {

/// Signs with every key, so that receivers can change from one to the next. Thread contract: const
/// members from any thread.
class Signer {
 public:
  /// Throws core::Error (internal) when the crypto library refuses a key of the right size.
  explicit Signer(const std::vector<core::SigningKey>& keys);
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;

  /// For the header webhook-signature: "v1,<base64> v1a,<base64>", in the order of the keys. What
  /// is signed is "id.timestamp.body"; `timestamp` in seconds since 1970.
  [[nodiscard]] std::string sign(std::string_view id, std::int64_t timestamp,
                                 std::string_view body) const;

 private:
  struct Key;
  std::vector<Key> keys_;
};

}  // namespace outbox::handlers
