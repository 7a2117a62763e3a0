// Base64 against the vectors of RFC 4648, and what is not quite it.
#include "core/base64.hpp"

#include <random>

#include <boost/test/unit_test.hpp>

namespace base64_test {

using outbox::core::decode_base64;
using outbox::core::encode_base64;

}  // namespace base64_test

BOOST_AUTO_TEST_SUITE(base64_test)

BOOST_AUTO_TEST_CASE(the_vectors_of_the_standard) {
  const std::vector<std::pair<std::string, std::string>> cases{{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"},
                                                               {"\xfb\xff", "+/8="}};
  for (const auto& [bytes, text] : cases) {
    BOOST_TEST(encode_base64(bytes) == text);
    BOOST_TEST(decode_base64(text).value() == bytes);
  }
}

BOOST_AUTO_TEST_CASE(all_bytes_survive) {
  std::mt19937 random{4648};
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random());
    const std::string text = encode_base64(bytes);
    BOOST_TEST(text.size() == (size + 2) / 3 * 4);
    BOOST_TEST((decode_base64(text).value() == bytes));
  }
}

BOOST_AUTO_TEST_CASE(anything_else_is_refused) {
  for (const std::string text :
       {"Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zm9v=", "Zm9vZg", "Zm 9v", "Zm9v\n",
        " Zm9v", "Zm9-", "Zm9_", "Zh==", "Zm9=", "Z=g=", "Zg==Zg==", "Zm9\xc3"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(!decode_base64(text).has_value()); }
  }
  BOOST_TEST(!decode_base64(std::string("Zm\0v", 4)).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
