// URLs: what they become, and everything by which one could lead to somewhere else than it seems
// to.
#include "core/url.hpp"

#include <boost/test/unit_test.hpp>

namespace url_test {

using outbox::core::is_dns_label;
using outbox::core::parse_host;
using outbox::core::parse_url;
using outbox::core::percent_encode;

struct Good {
  std::string text;
  std::string url;
  std::string origin;
};
struct Bad {
  std::string text;
  std::string problem;
};

}  // namespace url_test

BOOST_AUTO_TEST_SUITE(url_test)

BOOST_AUTO_TEST_CASE(good_ones_keep_their_path_and_get_one_form_of_their_origin) {
  const std::vector<Good> cases{
      {"https://shop.example", "https://shop.example/", "https://shop.example:443"},
      {"HTTP://Shop.EXAMPLE/A", "http://shop.example/A", "http://shop.example:80"},
      {"https://h?q=1", "https://h/?q=1", "https://h:443"},
      {"https://h:8443/a/b?c=d&e=%20/?", "https://h:8443/a/b?c=d&e=%20/?", "https://h:8443"},
      {"http://my_service:65535/", "http://my_service:65535/", "http://my_service:65535"},
      {"https://192.0.2.1/x", "https://192.0.2.1/x", "https://192.0.2.1:443"},
      {"https://[::1]:80/", "https://[::1]:80/", "https://[::1]:80"},
      {"https://[2001:DB8:0:0::1]/", "https://[2001:db8::1]/", "https://[2001:db8::1]:443"},
      {"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/",
       "https://xn--bcher-kva.example:443"},
      {"https://h/a..b/...?/../", "https://h/a..b/...?/../", "https://h:443"},
      {"https://h//a/;p=1,2@x:!$'()*+", "https://h//a/;p=1,2@x:!$'()*+", "https://h:443"},
  };
  for (const Good& c : cases) {
    BOOST_TEST_CONTEXT(c.text) {
      const auto parsed = parse_url(c.text);
      BOOST_TEST(parsed.problem == "");
      BOOST_TEST(parsed.url == c.url);
      BOOST_TEST(parsed.origin == c.origin);
    }
  }
}

BOOST_AUTO_TEST_CASE(anything_doubtful_is_refused) {
  const std::string no_scheme = "is neither https:// nor http://";
  const std::string no_name = "has a host that is no DNS name";
  const std::string number = "has a host that ends in a number, but is no IPv4 address";
  const std::string port = "has a port that is not a number from 1 to 65535";
  const std::string address6 = "has no IPv6 address in the brackets of its host";
  const std::string character = "has a character that must be percent-encoded";
  const std::string dots = "has . or .. in its path";
  const std::string user = "has a user or password";
  const std::vector<Bad> cases{
      {"", "is empty"},
      {"shop.example/x", no_scheme},
      {"//shop.example/x", no_scheme},
      {"ftp://h/", no_scheme},
      {"file:///etc/passwd", no_scheme},
      {"gopher://h/", no_scheme},
      {"javascript:alert(1)//https://h/", no_scheme},
      {" https://h/", no_scheme},
      {"https:/h/", no_scheme},
      {"https:\\\\h\\", no_scheme},
      {"https://", "has no host"},
      {"https:///x", "has no host"},
      {"https://?x", "has no host"},
      {"https://:80/", "has no host"},
      {"https://u@h/", user},
      {"https://u:p@h/", user},
      {"https://good.example@evil.example/", user},
      {"https://@h/", user},
      {"https://h/x#f", "has a fragment"},
      {"https://h#@evil.example/", "has a fragment"},
      {"https://h\\@evil.example/", user},
      {"https://h\\.evil.example/", no_name},
      {"https://a b/", no_name},
      {"https://a\r\nHost: b/", no_name},
      {"https://h\t/", no_name},
      {"https://b\xc3\xbc"
       "cher.example/",
       no_name},
      {"https://h%2eevil/", no_name},
      {"https://h./", "has a host that ends in a dot"},
      {"https://./", "has a host that ends in a dot"},
      {"https://a..b/", no_name},
      {"https://.a/", no_name},
      {"https://-a/", no_name},
      {"https://a-/", no_name},
      {"https://" + std::string(64, 'a') + "/", no_name},
      {"https://" + std::string(250, 'a') + ".com/", "has a host of more than 253 bytes"},
      {"https://127.1/", number},
      {"https://2130706433/", number},
      {"https://0x7f000001/", number},
      {"https://0X7F.0.0.1/", number},
      {"https://1.0x7F/", number},
      {"https://0177.0.0.1/", number},
      {"https://127.0.0.1.1/", number},
      {"https://256.0.0.1/", number},
      {"https://a.1/", number},
      {"https://h:/", port},
      {"https://h:0/", port},
      {"https://h:080/", port},
      {"https://h:65536/", port},
      {"https://h:99999999999/", port},
      {"https://h:-1/", port},
      {"https://h:80:80/", no_name},
      {"https://h:80a/", port},
      {"https://::1/", no_name},
      {"https://[::1/", address6},
      {"https://[]/", address6},
      {"https://[127.0.0.1]/", address6},
      {"https://[fe80::1%25eth0]/", address6},
      {"https://[::1]x/", address6},
      {"https://[::1]:x/", port},
      {"https://h/a b", character},
      {"https://h/\r\nX: y", character},
      {"https://h/\xc3\xa9", character},
      {"https://h/{a}", character},
      {"https://h/a\\b", character},
      {"https://h/<>", character},
      {"https://h/?a[]=1", character},
      {"https://h/\x7f", character},
      {"https://h/%", "has a % without two hex digits after it"},
      {"https://h/%2", "has a % without two hex digits after it"},
      {"https://h/%2g", "has a % without two hex digits after it"},
      {"https://h/a/../b", dots},
      {"https://h/..", dots},
      {"https://h/.", dots},
      {"https://h/./a", dots},
      {"https://h/%2e%2E/a", dots},
      {"https://h/.%2e?q", dots},
      {"https://h/" + std::string(8'200, 'a'), "has 8210 bytes, expected at most 8192"},
  };
  for (const Bad& c : cases) {
    BOOST_TEST_CONTEXT(c.text) {
      const auto parsed = parse_url(c.text);
      BOOST_TEST(parsed.problem == c.problem);
      BOOST_TEST(!parsed.hint.empty());
      BOOST_TEST(parsed.url == "");
      BOOST_TEST(parsed.origin == "");
    }
  }
  BOOST_TEST(parse_url(std::string("https://h\0x/", 12)).problem == no_name);
  BOOST_TEST(parse_url(std::string("https://h/\0", 11)).problem == character);
  BOOST_TEST(parse_url(std::string("https://[::1\0]/", 15)).problem == address6);
}

BOOST_AUTO_TEST_CASE(labels_are_what_stands_between_dots) {
  BOOST_TEST(is_dns_label("a"));
  BOOST_TEST(is_dns_label("A-b_9"));
  BOOST_TEST(is_dns_label(std::string(63, 'a')));
  for (const std::string text :
       {"", "-a", "a-", "a.b", "a~", "a:1", "a/b", "a@", "a%", "\xc3\xa9", "a\n"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(!is_dns_label(text)); }
  }
  BOOST_TEST(!is_dns_label(std::string(64, 'a')));
}

BOOST_AUTO_TEST_CASE(only_unreserved_characters_stay) {
  BOOST_TEST(percent_encode("azAZ09-._~") == "azAZ09-._~");
  BOOST_TEST(percent_encode("/?#[]@!$&'()*+,;=% \r\n\"\\") ==
             "%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%20%0D%0A%22%5C");
  BOOST_TEST(percent_encode(std::string("\0\xc3\xa9\xff", 4)) == "%00%C3%A9%FF");
}

BOOST_AUTO_TEST_SUITE_END()
