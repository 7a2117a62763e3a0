// URLs filled from payloads that may be hostile: no value may reach another host, path or request
// than the template's author meant.
#include "core/url_template.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace url_template_test {

using nlohmann::json;
using outbox::core::UrlTemplate;

UrlTemplate made(const std::string& text) {
  auto parsed = UrlTemplate::parse(text);
  BOOST_TEST_CONTEXT(text) { BOOST_REQUIRE(parsed.problem == ""); }
  return std::move(*parsed.url);
}

std::string url(const std::string& text, const json& payload) {
  const auto expanded = made(text).expand(payload);
  BOOST_TEST(expanded.problem == "");
  return expanded.url;
}

std::string problem(const std::string& text, const json& payload) {
  const auto expanded = made(text).expand(payload);
  BOOST_TEST(expanded.url == "");
  BOOST_TEST(expanded.origin == "");
  return expanded.problem;
}

}  // namespace url_template_test

BOOST_AUTO_TEST_SUITE(url_template_test)

BOOST_AUTO_TEST_CASE(a_url_without_placeholders_is_itself) {
  const UrlTemplate plain = made("HTTPS://Shop.example/A?b=c");
  BOOST_TEST(!plain.host_from_payload());
  BOOST_TEST(!plain.plain_http());
  BOOST_TEST(plain.origin() == "https://shop.example:443");
  BOOST_TEST(plain.expand(json::object()).url == "https://shop.example/A?b=c");
  BOOST_TEST(plain.expand(json{}).origin == "https://shop.example:443");
  BOOST_TEST(made("http://h:8080/").plain_http());
}

BOOST_AUTO_TEST_CASE(values_of_every_simple_type_are_filled_in) {
  const json payload = json::parse(R"({"order": {"id": 7, "ref": {"no": "A/1 ü"}}, "ok": true,
    "sum": 1.5, "big": 18446744073709551615, "neg": -3, "a-b_C9": "x", "0": "zero"})");
  const UrlTemplate order = made("https://h/o/{order.id}/{order.ref.no}?ok={ok}&s={sum}");
  BOOST_TEST(!order.host_from_payload());
  BOOST_TEST(order.origin() == "https://h:443");
  const auto expanded = order.expand(payload);
  BOOST_TEST(expanded.url == "https://h/o/7/A%2F1%20%C3%BC?ok=true&s=1.5");
  BOOST_TEST(expanded.origin == "https://h:443");
  BOOST_TEST(url("https://h/{big}{neg}{a-b_C9}{0}", payload) ==
             "https://h/18446744073709551615-3xzero");
  BOOST_TEST(url("https://h?q={ok}", payload) == "https://h/?q=true");
}

BOOST_AUTO_TEST_CASE(braces_that_are_meant_are_written_twice) {
  BOOST_TEST(url("https://h/{{a}}/{{{a}}}?{{", {{"a", "v"}}) == "https://h/%7Ba%7D/%7Bv%7D?%7B");
}

BOOST_AUTO_TEST_CASE(hostile_values_stay_inside_their_place) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"x\r\nHost: evil.example", "x%0D%0AHost%3A%20evil.example"},
      {"@evil.example", "%40evil.example"},
      {"#f", "%23f"},
      {"?q=1&r=2", "%3Fq%3D1%26r%3D2"},
      {"a/../../b", "a%2F..%2F..%2Fb"},
      {"/../", "%2F..%2F"},
      {"...", "..."},
      {"%2e%2e", "%252e%252e"},
      {"%00", "%2500"},
      {std::string("a\0b", 3), "a%00b"},
      {"\xf0\x9f\x98\x80", "%F0%9F%98%80"},
      {"{id}", "%7Bid%7D"},
      {"https://evil.example/", "https%3A%2F%2Fevil.example%2F"},
      {"\\", "%5C"},
      {std::string(2'048, 'a'), std::string(2'048, 'a')},
  };
  for (const auto& [value, encoded] : cases) {
    BOOST_TEST_CONTEXT(value) {
      BOOST_TEST(url("https://h/a/{id}", {{"id", value}}) == "https://h/a/" + encoded);
      BOOST_TEST(url("https://h/?id={id}", {{"id", value}}) == "https://h/?id=" + encoded);
    }
  }
}

BOOST_AUTO_TEST_CASE(values_that_cannot_be_filled_in_name_their_placeholder) {
  const json payload = json::parse(R"({"null": null, "list": [1], "object": {"a": {}}, "empty": "",
    "dot": ".", "dots": "..", "text": "x", "large": 12345678901234567890123, "d": {"id": null}})");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"none", "the payload has no 'none', which the url needs"},
      {"d.none", "the payload has no 'd.none', which the url needs"},
      {"text.id", "the payload has no 'text.id', which the url needs"},
      {"list.0", "the payload has no 'list.0', which the url needs"},
      {"null",
       "'null' of the payload, for the url, is null, expected text, a number, true or false"},
      {"d.id",
       "'d.id' of the payload, for the url, is null, expected text, a number, true or false"},
      {"list",
       "'list' of the payload, for the url, is a list or an object, expected text, a number, "
       "true or false"},
      {"object.a",
       "'object.a' of the payload, for the url, is a list or an object, expected text, a "
       "number, true or false"},
      {"empty", "'empty' of the payload, for the url, is empty"},
      {"dot", "'dot' of the payload, for the url, is . or .., which would leave the path"},
      {"dots", "'dots' of the payload, for the url, is . or .., which would leave the path"},
      {"large",
       "'large' of the payload, for the url, is a number too large to be exact; send it as text"},
  };
  for (const auto& [name, text] : cases) {
    BOOST_TEST(problem("https://h/{" + name + "}", payload) == text);
  }
  for (const json& other : {json{}, json::array({1}), json("text"), json(7)}) {
    BOOST_TEST(problem("https://h/{id}", other) == "the payload has no 'id', which the url needs");
  }
  const std::string text = problem("https://h/{id}", {{"id", std::string(2'049, 's')}});
  BOOST_TEST(text == "'id' of the payload, for the url, has 2049 bytes, expected at most 2048");
}

BOOST_AUTO_TEST_CASE(the_whole_is_bounded_too) {
  const json payload{{"a", std::string(2'048, ' ')}};  // three times as long when encoded
  BOOST_TEST(problem("https://h/{a}{a}", payload) ==
             "with the values of this payload the url has 12298 bytes, expected at most 8192");
  BOOST_TEST(url("https://h/{a}", payload).size() == 10U + 3 * 2'048);
}

BOOST_AUTO_TEST_CASE(a_host_from_the_payload_is_known_as_such) {
  for (const std::string text :
       {"{url}", "https://{host}", "https://{host}/x", "https://{host}?x", "http://{host}:8080/",
        "https://{t}.example.com/", "https://a-{t}/"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(made(text).host_from_payload());
      BOOST_TEST(made(text).origin() == "");
    }
  }
  BOOST_TEST(made("http://{host}:8080/").plain_http());
  BOOST_TEST(!made("{url}").plain_http());
  BOOST_TEST(!made("https://h/{host}").host_from_payload());
  BOOST_TEST(!made("https://h?{host}").host_from_payload());
}

BOOST_AUTO_TEST_CASE(a_part_of_the_host_is_one_label) {
  const UrlTemplate tenant = made("https://{t}.example.com:8443/{t}");
  const auto expanded = tenant.expand({{"t", "ACME-1"}});
  BOOST_TEST(expanded.url == "https://acme-1.example.com:8443/ACME-1");
  BOOST_TEST(expanded.origin == "https://acme-1.example.com:8443");
  for (const std::string value :
       {"evil.com/", "evil.com#", "evil.com?", "evil.com", "a.b", "a:80", "u@h", "-a", "a-",
        "a\r\n", "\xc3\xa9", "%41", "a b", "[::1]", "x\\"}) {
    BOOST_TEST_CONTEXT(value) {
      BOOST_TEST(
          problem("https://{t}.example.com/", {{"t", value}}) ==
          "'t' of the payload, for the url, is not one label of a host name: 1 to 63 letters, "
          "digits, _ and -");
    }
  }
  // Each is a label; together they are none, or a number that only looks like an address.
  const std::string half(40, 'a');
  BOOST_TEST(problem("https://{t}{t}.example/", {{"t", half}}) ==
             "with the values of this payload the url has a host that is no DNS name");
  BOOST_TEST(problem("https://127.{t}/", {{"t", 1}}) ==
             "with the values of this payload the url has a host that ends in a number, but is no "
             "IPv4 address");
  BOOST_TEST(url("https://10.0.0.{t}/", {{"t", 7}}) == "https://10.0.0.7/");
}

BOOST_AUTO_TEST_CASE(the_whole_host_is_a_host_and_no_more) {
  const std::string text = "https://{host}:8443/x";
  BOOST_TEST(url(text, {{"host", "Shop.Example"}}) == "https://shop.example:8443/x");
  BOOST_TEST(url(text, {{"host", "192.0.2.1"}}) == "https://192.0.2.1:8443/x");
  BOOST_TEST(url(text, {{"host", "[::1]"}}) == "https://[::1]:8443/x");
  for (const std::string value :
       {"h:80", "[::1]:80", "h/", "h?", "h#", "u@h", "u:p@h", "h.", "a..b", "::1", "h\r\n", "127.1",
        "2130706433", "0x7f.0.0.1", "\xc3\xa9.example", " h", "h%2f", "https://h"}) {
    BOOST_TEST_CONTEXT(value) {
      BOOST_TEST(
          problem(text, {{"host", value}}).find("'host' of the payload, for the url, has ") == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_whole_url_follows_the_rules_of_urls) {
  const auto expanded =
      made("{hook.url}").expand(json::parse(R"({"hook": {"url": "HTTP://H/a?b"}})"));
  BOOST_TEST(expanded.url == "http://h/a?b");
  BOOST_TEST(expanded.origin == "http://h:80");
  const std::string long_one = "https://h/" + std::string(8'182, 'a');
  BOOST_TEST(url("{url}", {{"url", long_one}}) == long_one);
  const std::string start = "'url' of the payload, for the url, ";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"ftp://h/", "is neither https:// nor http://"},
      {"/relative", "is neither https:// nor http://"},
      {"https://u:s3cret@h/", "has a user or password"},
      {"https://h/#s3cret", "has a fragment"},
      {"https://h/\r\nX: s3cret", "has a character that must be percent-encoded"},
      {"https://h/../s3cret", "has . or .. in its path"},
      {"https://2130706433/", "has a host that ends in a number, but is no IPv4 address"},
      {"https://h/{x}", "has a character that must be percent-encoded"},
      {long_one + "a", "has 8193 bytes, expected at most 8192"},
  };
  for (const auto& [value, text] : cases) {
    BOOST_TEST(problem("{url}", {{"url", value}}) == start + text);
  }
  BOOST_TEST(problem("{url}", {{"url", 7}}) == start + "is neither https:// nor http://");
}

BOOST_AUTO_TEST_CASE(bad_templates_are_refused_without_quoting_them) {
  const std::string no_name = "has a placeholder that is no name";
  const std::string no_scheme = "is neither https:// nor http://";
  const std::string port = "has a port that is not a number from 1 to 65535";
  std::string many = "https://h/";
  for (int i = 0; i < 33; ++i) many += "{a}";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "is empty"},
      {"https://h/{", "has a { without a } after it"},
      {"https://h/}", "has a } without a { before it"},
      {"https://h/{a}}", "has a } without a { before it"},
      {"https://h/{}", no_name},
      {"https://h/{ a}", no_name},
      {"https://h/{a.}", no_name},
      {"https://h/{.a}", no_name},
      {"https://h/{a..b}", no_name},
      {"https://h/{a[0]}", no_name},
      {"https://h/{\xc3\xa9}", no_name},
      {"https://h/{a\nb}", no_name},
      {"https://h/{" + std::string(257, 'a') + "}", no_name},
      {many, "has more than 32 placeholders"},
      {"https://h/" + std::string(8'200, 'a'), "has more than 8192 bytes"},
      {"{scheme}://h/", no_scheme},
      {"http{s}://h/", no_scheme},
      {"{url}/x", no_scheme},
      {"{a}{b}", no_scheme},
      {"https://h:{port}/", port},
      {"https://h:8{port}/", port},
      {"https://{a}:{port}/", port},
      {"https://{user}@h/", "has a user or password"},
      {"https://u:{password}@h/", "has a user or password"},
      {"https://[{address}]/", "has no IPv6 address in the brackets of its host"},
      {"https://[::{address}]/", "has no IPv6 address in the brackets of its host"},
      {"https://-{a}/", "has a host that is no DNS name"},
      {"https://{{a}}/", "has a host that is no DNS name"},
      {"https://h/%{a}", "has a % without two hex digits after it"},
      {"https://h/%4{a}", "has a % without two hex digits after it"},
      {"https://h/%{{a", "has a % without two hex digits after it"},
      {"https://h/../{a}", "has . or .. in its path"},
      {"https://h/{a}#{b}", "has a fragment"},
      {"https://h/{a} {b}", "has a character that must be percent-encoded"},
  };
  for (const auto& [text, expected] : cases) {
    BOOST_TEST_CONTEXT(text) {
      const auto parsed = UrlTemplate::parse(text);
      BOOST_TEST(parsed.problem == expected);
      BOOST_TEST(!parsed.hint.empty());
      BOOST_TEST(!parsed.url.has_value());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
