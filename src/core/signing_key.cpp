// The keys that sign webhooks; see the header.
#include "core/signing_key.hpp"

#include <algorithm>
#include <variant>

#include "core/base64.hpp"

namespace outbox::core {
namespace {

constexpr std::size_t kMostKeys = 8;
constexpr std::size_t kHmacLeast = 24;
constexpr std::size_t kHmacMost = 64;
constexpr std::size_t kSeed = 32;
constexpr std::string_view kHmacPrefix = "whsec_";
constexpr std::string_view kSeedPrefix = "whsk_";
constexpr const char* kKeyForms =
    "a key is whsec_ and base64 of 24 to 64 random bytes, or whsk_ and base64 of an ed25519 seed";

struct KeyProblem {
  std::string problem;
  std::string hint;
};

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kSpace, end);
  }
  return words;
}

std::variant<SigningKey, KeyProblem> parse_key(std::string_view word) {
  const bool hmac = word.substr(0, kHmacPrefix.size()) == kHmacPrefix;
  if (!hmac && word.substr(0, kSeedPrefix.size()) != kSeedPrefix) {
    if (word.substr(0, 5) == "whpk_") {
      return KeyProblem{"is a public key, which can only verify",
                        "give whsk_..., its secret half; receivers get whpk_..."};
    }
    return KeyProblem{"starts with neither whsec_ nor whsk_", kKeyForms};
  }
  auto bytes = decode_base64(word.substr(hmac ? kHmacPrefix.size() : kSeedPrefix.size()));
  if (!bytes) return KeyProblem{"is not base64 after its prefix", kKeyForms};
  const std::size_t size = bytes->size();
  if (hmac ? size < kHmacLeast || size > kHmacMost : size != kSeed && size != 2 * kSeed) {
    return KeyProblem{
        "has " + std::to_string(size) + " bytes, expected " + (hmac ? "24 to 64" : "32 or 64"),
        hmac ? "make one: echo whsec_$(openssl rand -base64 32)" : kKeyForms};
  }
  if (!hmac) bytes->resize(kSeed);
  return SigningKey{hmac ? SigningKey::Type::hmac : SigningKey::Type::ed25519, std::move(*bytes)};
}

}  // namespace

ParsedSigningKeys parse_signing_keys(std::string_view text) {
  const auto words = words_of(text);
  if (words.empty()) return {{}, "there is no key", kKeyForms};
  if (words.size() > kMostKeys) {
    return {{},
            "there are " + std::to_string(words.size()) + " keys, expected at most 8",
            "each signs every request: remove those that no receiver needs any more"};
  }
  ParsedSigningKeys out;
  for (const std::string_view word : words) {
    auto key = parse_key(word);
    if (const auto* wrong = std::get_if<KeyProblem>(&key)) {
      const std::string number = std::to_string(out.keys.size() + 1);
      return {{},
              "key " + number + " of " + std::to_string(words.size()) + " " + wrong->problem,
              wrong->hint};
    }
    out.keys.push_back(std::get<SigningKey>(std::move(key)));
  }
  return out;
}

}  // namespace outbox::core
