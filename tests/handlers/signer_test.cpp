// Signatures against vectors that others have made.
#include "handlers/signer.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base64.hpp"

using outbox::core::parse_signing_keys;
using outbox::core::SigningKey;
using outbox::handlers::Signer;

BOOST_AUTO_TEST_SUITE(signer_test)

/// From the tests of the reference libraries of Standard Webhooks.
BOOST_AUTO_TEST_CASE(hmac_is_as_the_reference_libraries_sign) {
  const Signer signer{parse_signing_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").keys};
  BOOST_TEST(signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})") ==
             "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/// RFC 8032 7.1, test 1, signs an empty message; ours is never empty, so the public key is checked
/// by what a verifier in another language says (e2e), and here that the signature is deterministic.
BOOST_AUTO_TEST_CASE(every_key_signs_in_its_order) {
  const std::string seed(32, '\x01');
  const auto text =
      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsk_" + outbox::core::encode_base64(seed);
  const auto parsed = parse_signing_keys(text);
  BOOST_REQUIRE_EQUAL(parsed.keys.size(), 2U);
  const Signer signer{parsed.keys};
  const auto signature = signer.sign("msg_1", 1, "{}");
  BOOST_TEST(signature.rfind("v1,", 0) == 0U);
  const auto second = signature.find(" v1a,");
  BOOST_REQUIRE(second != std::string::npos);
  const auto bytes = outbox::core::decode_base64(signature.substr(second + 5));
  BOOST_REQUIRE(bytes.has_value());
  BOOST_TEST(bytes->size() == 64U);
  BOOST_TEST(signer.sign("msg_1", 1, "{}") == signature);
  BOOST_TEST(signer.sign("msg_1", 2, "{}") != signature);
}

BOOST_AUTO_TEST_SUITE_END()
