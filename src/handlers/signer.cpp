// HMAC-SHA256 and ed25519 by OpenSSL.
#include "handlers/signer.hpp"

#include <array>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/base64.hpp"
#include "core/error.hpp"

namespace outbox::handlers {

namespace {

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view text(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

[[noreturn]] void refused() {
  throw core::Error{core::ExitCode::internal, "the crypto library refused to sign"};
}

std::string hmac(std::string_view key, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(message), message.size(),
           digest.data(), &size) == nullptr)
    refused();
  return core::encode_base64(text(digest.data(), size));
}

std::string ed25519(EVP_PKEY* key, std::string_view message) {
  std::array<unsigned char, 64> signature{};
  std::size_t size = signature.size();
  const std::unique_ptr<EVP_MD_CTX, DigestDeleter> context{EVP_MD_CTX_new()};
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, bytes(message), message.size()) != 1)
    refused();
  return core::encode_base64(text(signature.data(), size));
}

}  // namespace

struct Signer::Key {
  std::string secret;                            // hmac
  std::unique_ptr<EVP_PKEY, KeyDeleter> pair{};  // ed25519
};

Signer::Signer(const std::vector<core::SigningKey>& keys) {
  for (const auto& key : keys) {
    auto& mine = keys_.emplace_back();
    if (key.type == core::SigningKey::Type::hmac) {
      mine.secret = key.bytes;
      continue;
    }
    mine.pair.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes(key.bytes),
                                                 key.bytes.size()));
    if (!mine.pair) refused();
  }
}

Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

std::string Signer::sign(std::string_view id, std::int64_t timestamp, std::string_view body) const {
  std::string message;
  message.reserve(id.size() + body.size() + 24);
  message.append(id).append(1, '.').append(std::to_string(timestamp)).append(1, '.').append(body);
  std::string out;
  for (const auto& key : keys_) {
    if (!out.empty()) out += ' ';
    out += key.pair ? "v1a," + ed25519(key.pair.get(), message) : "v1," + hmac(key.secret, message);
  }
  return out;
}

}  // namespace outbox::handlers
