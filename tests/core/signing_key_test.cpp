// Keys that sign: both kinds, several of them, and errors that never quote one.
#include "core/signing_key.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base64.hpp"

namespace signing_key_test {

using outbox::core::encode_base64;
using outbox::core::parse_signing_keys;
using outbox::core::SigningKey;

std::string hmac(std::size_t bytes) { return "whsec_" + encode_base64(std::string(bytes, 'k')); }
std::string seed(std::size_t bytes) { return "whsk_" + encode_base64(std::string(bytes, 's')); }

}  // namespace signing_key_test

BOOST_AUTO_TEST_SUITE(signing_key_test)

BOOST_AUTO_TEST_CASE(both_kinds_are_read_in_their_order) {
  const auto parsed =
      parse_signing_keys("\n" + hmac(24) + "  " + seed(32) + "\r\n\t" + hmac(64) + "\n\n");
  BOOST_TEST(parsed.problem == "");
  BOOST_REQUIRE(parsed.keys.size() == 3U);
  BOOST_TEST((parsed.keys[0].type == SigningKey::Type::hmac));
  BOOST_TEST(parsed.keys[0].bytes == std::string(24, 'k'));
  BOOST_TEST((parsed.keys[1].type == SigningKey::Type::ed25519));
  BOOST_TEST(parsed.keys[1].bytes == std::string(32, 's'));
  BOOST_TEST(parsed.keys[2].bytes == std::string(64, 'k'));
}

// The secret of the examples of Standard Webhooks.
BOOST_AUTO_TEST_CASE(a_key_of_the_standard_is_read) {
  const auto parsed = parse_signing_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  BOOST_REQUIRE(parsed.keys.size() == 1U);
  BOOST_TEST(parsed.keys[0].bytes.size() == 24U);
}

BOOST_AUTO_TEST_CASE(of_seed_and_public_key_the_seed_is_kept) {
  const std::string both = std::string(32, 'a') + std::string(32, 'b');
  const auto parsed = parse_signing_keys("whsk_" + encode_base64(both));
  BOOST_REQUIRE(parsed.keys.size() == 1U);
  BOOST_TEST(parsed.keys[0].bytes == std::string(32, 'a'));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_without_the_key) {
  struct Case {
    std::string text;
    std::string problem;
  };
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += hmac(32) + "\n";
  const std::string good = hmac(32) + " ";
  const std::vector<Case> cases{
      {"", "there is no key"},
      {" \n ", "there is no key"},
      {nine, "there are 9 keys, expected at most 8"},
      {hmac(23), "key 1 of 1 has 23 bytes, expected 24 to 64"},
      {hmac(65), "key 1 of 1 has 65 bytes, expected 24 to 64"},
      {good + seed(31), "key 2 of 2 has 31 bytes, expected 32 or 64"},
      {good + seed(33), "key 2 of 2 has 33 bytes, expected 32 or 64"},
      {good + "whsec_", "key 2 of 2 has 0 bytes, expected 24 to 64"},
      {good + "whsec_s3cret!", "key 2 of 2 is not base64 after its prefix"},
      {good + "whsk_s3cret", "key 2 of 2 is not base64 after its prefix"},
      {good + "WHSEC_s3cret", "key 2 of 2 starts with neither whsec_ nor whsk_"},
      {"s3cret", "key 1 of 1 starts with neither whsec_ nor whsk_"},
      {"whpk_s3cret", "key 1 of 1 is a public key, which can only verify"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.text) {
      const auto parsed = parse_signing_keys(c.text);
      BOOST_TEST(parsed.keys.empty());
      BOOST_TEST(parsed.problem == c.problem);
      BOOST_TEST(!parsed.hint.empty());
      BOOST_TEST((parsed.problem + parsed.hint).find("s3cret") == std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
