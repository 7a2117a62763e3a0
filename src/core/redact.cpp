// Takes secrets out of connection strings; when in doubt, hides more.
#include "core/redact.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/conninfo.hpp"

namespace outbox::core {
namespace {

constexpr std::string_view kSecret = "[secret]";
constexpr std::array<std::string_view, 5> kSecretKeys{
    "password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"};

// Without case: libpq would refuse "Password", but the value is a secret all the same.
bool is_secret(std::string key) {
  std::transform(key.begin(), key.end(), key.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return std::find(kSecretKeys.begin(), kSecretKeys.end(), key) != kSecretKeys.end();
}

}  // namespace

std::string redact_url(std::string_view url) {
  const auto parts = parse_conninfo(url);
  if (!parts) return std::string{kSecret};
  std::string out;
  std::size_t done = 0;
  for (const ConninfoPart& part : *parts) {
    if (!is_secret(part.key)) continue;
    out += url.substr(done, part.begin - done);
    out += kSecret;
    done = part.end;
  }
  out += url.substr(done);
  return out;
}

}  // namespace outbox::core
