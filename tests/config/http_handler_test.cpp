// The section http of a kind: what a good one becomes, and what is refused, where.
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include "config/bad_config.hpp"

namespace http_handler_test {

using namespace outbox::config;
using namespace std::chrono_literals;
namespace core = outbox::core;

// Values start in line 4; a key at column 7.
std::string http(const std::string& lines, const std::string& after = {}) {
  return kDatabase + "kinds:\n  k: {" + after + "http: {\n  url: 'https://h/'" + lines + "}}\n";
}
// The line under test is the fifth, its value at 3 + the key's length + 2.
std::string with(const std::string& line) { return http(",\n  " + line); }

std::string url(const std::string& text) {
  return kDatabase + "kinds: {k: {http: {url: '" + text + "'}}}\n";
}

std::string errors_of(const std::string& text, const std::string& value) {
  return format_errors(load_text(text, "c.yaml", [&](const std::string&) { return value; }).errors);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Folder {
 public:
  Folder() {
    std::string pattern = "/tmp/outbox-http-XXXXXX";
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& content, mode_t mode) {
    const std::string file = path_ + "/" + name;
    std::ofstream{file, std::ios::binary} << content;
    BOOST_REQUIRE(::chmod(file.c_str(), mode) == 0);
    return file;
  }

 private:
  std::string path_;
};

const std::string kKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

}  // namespace http_handler_test

BOOST_AUTO_TEST_SUITE(http_handler_test)

BOOST_AUTO_TEST_CASE(every_setting_reaches_its_field) {
  const std::string text = kDatabase + R"(kinds:
  k:
    http:
      url: https://shop.example/{order.id}
      method: PUT
      content_type: text/plain
      headers: {X-Shop: main, accept: "*/*"}
      bearer_env: TOKEN
      idempotency_key: off
      cloudevents_source: /shop
      cloudevents_type: com.shop
      connect_timeout: 2s
      concurrency: 10000
      rate: 0.5
      breaker: {enabled: false, failures: 1, least: 1, window: 1m, pause: 1s, pause_most: 1s}
      retry_after_most: 1h
      client_errors: retry
      control: true
      response_most: 0
      keep_response: true
      http2: false
    timeout: 30s
)";
  const Loaded loaded =
      load_text(text, "c.yaml", [](const std::string& name) { return name + "-s3cret"; });
  BOOST_TEST(format_errors(loaded.errors) == "");
  const core::KindOptions& kind = loaded.options.kinds.at("k");
  BOOST_TEST((kind.timeout == 30s && !kind.sql && !kind.exec));
  const core::HttpHandler& http = kind.http.value();
  BOOST_TEST(http.url == "https://shop.example/{order.id}");
  BOOST_TEST(http.method == "PUT");
  BOOST_TEST(http.content_type == "text/plain");
  BOOST_TEST(http.headers.size() == 2U);
  BOOST_TEST(http.headers.at("accept") == "*/*");
  BOOST_TEST(http.bearer.text == "TOKEN-s3cret");
  BOOST_TEST(http.bearer.env == "TOKEN");
  BOOST_TEST(http.signing.text == "");
  BOOST_TEST((http.idempotency_key == core::IdempotencyKey::off));
  BOOST_TEST(http.cloudevents_source == "/shop");
  BOOST_TEST(http.cloudevents_type == "com.shop");
  BOOST_TEST((http.connect_timeout == 2s && http.concurrency == 10'000));
  BOOST_TEST(http.rate == 0.5);
  BOOST_TEST((!http.breaker.enabled && http.breaker.least == 1 && http.breaker.window == 1min));
  BOOST_TEST((http.breaker.pause == 1s && http.breaker.pause_most == 1s));
  BOOST_TEST(http.breaker.failures == 1.0);
  BOOST_TEST((http.retry_after_most == 1h && http.retry_client_errors && http.control));
  BOOST_TEST((http.response_most == 0 && http.keep_response && !http.http2));
}

BOOST_AUTO_TEST_CASE(connect_timeout_follows_a_short_timeout_unless_it_is_given) {
  const auto loaded = [](const std::string& text) {
    Loaded out = load_text(text, "c.yaml", {});
    BOOST_TEST(format_errors(out.errors) == "");
    return out.options.kinds.at("k").http.value().connect_timeout;
  };
  BOOST_TEST((loaded(http("", "timeout: 1s, ")) == 1s));
  BOOST_TEST((loaded(http("", "timeout: 10ms, ")) == 10ms));
  BOOST_TEST((loaded(http("")) == 5s));
  expect_refused({
      {http(",\n  connect_timeout: 2s", "timeout: 1s, "), 3, 16,
       "kinds.k.http.connect_timeout (2s) must not be more than timeout (1s)", "raise timeout"},
      {http(",\n  connect_timeout: 2x", "timeout: 1s, "), 5, 20, "unknown unit", ""},
  });
}

BOOST_AUTO_TEST_CASE(wrong_values_are_refused_at_their_place) {
  expect_refused({
      {kDatabase + "kinds: {k: {http: }}\n", 2, 13, "kinds.k.http.url is missing", "url_env"},
      {kDatabase + "kinds: {k: {http: {method: PUT}}}\n", 2, 13, "url is missing", "url_file"},
      {kDatabase + "kinds: {k: {http: 'https://h'}}\n", 2, 19, "must be a map", "indented"},
      {url("ftp://h"), 2, 25, "the url is neither https:// nor http://", "https://example.com"},
      {url("https://u:s3cret@h"), 2, 25, "the url has a user or password", "remove"},
      {url("https://h/#x"), 2, 25, "the url has a fragment", "write it as"},
      {url("https://h/{a b}"), 2, 25, "the url has a placeholder that is no name", "{order.id}"},
      {url("http://{host}/x"), 2, 25, "http:// with a host from the payload", "allow_plain_http"},
      {with("url_env: U"), 5, 12, "second source of the url, beside kinds.k.http.url", "keep one"},
      {with("method: GET"), 5, 11, "'GET' is not known, expected POST, PUT or PATCH", ""},
      {with("method: put"), 5, 11, "'put' is not known", "did you mean PUT?"},
      {with("content_type: ''"), 5, 17, "content_type: is empty", "application/json"},
      {with("content_type: é"), 5, 17, "not printable ASCII", "header"},
      {with("idempotency_key: no"), 5, 20, "expected quoted, plain or off", ""},
      {with("cloudevents_type: t"), 5, 21, "needs cloudevents_source", "/shop"},
      {with("cloudevents_source: ' /s'"), 5, 23, "a space at its start or end", "header"},
      {with("rate: 0.001"), 5, 9, "expected 0 (no limit) or 0.01 to 100000", "0.01 or more"},
      {with("rate: 100001"), 5, 9, "expected 0 to 100000", "100000 or less"},
      {with("concurrency: 0"), 5, 16, "expected 1 to 10000", "1 or more"},
      {with("breaker: {pause: 3m}"), 5, 20, "pause_most (2m) must not be less than pause (3m)",
       "raise"},
      {with("breaker: {failures: 0}"), 5, 23, "expected 0.01 to 1", "0.01 or more"},
      {with("breaker: off"), 5, 12, "kinds.k.http.breaker: must be a map", "indented"},
      {with("client_errors: drop"), 5, 18, "expected dead or retry", ""},
      {with("response_most: 17MiB"), 5, 18, "expected 0 to 16MiB", "16MiB or less"},
      {with("response_most: 1MB"), 5, 18, "'1MB' has an unknown unit, expected a size from 0",
       "write 1MiB"},
      {with("response_most: 1024"), 5, 18, "has no unit", "KiB"},
      {with("response_most: '0'"), 5, 18, "text in quotes", "remove the quotes"},
      {with("retry_after_most: 31d"), 5, 21, "expected 1s to 30d", "30d or less"},
      {with("ca_file: /nowhere.pem"), 5, 12, "cannot read the file '/nowhere.pem'",
       "check the path"},
      {with("ca_file: /tmp"), 5, 12, "is not a regular file", "PEM"},
      {with("allow_addresses: 10.0.0.0/8"), 5, 20, "must be a list, expected at most 64 networks",
       "in brackets"},
      {with("allow_plain_http: true"), 5, 21, "host of the url is not from the payload",
       "remove it"},
      {with("allow_addresses: [10.0.0.0/8]"), 5, 3, "not from the payload", "remove it"},
  });
}

BOOST_AUTO_TEST_CASE(items_of_lists_are_refused_at_the_item) {
  const auto networks = [](const std::string& items) {
    return kDatabase + "kinds: {k: {http: {url: 'https://{h}', allow_addresses: " + items + "}}}\n";
  };
  std::string many = "['10.0.0.0/8'";
  for (int i = 0; i < 64; ++i) many += ",'10.0.0.0/8'";
  expect_refused({
      {networks("[10.0.0.0/8, 10.0.0.1/8]"), 2, 70, "item 2 has bits behind", "write 10.0.0.0/8"},
      {networks("[10.0.0.0/8, [a]]"), 2, 70, "item 2 is no text", "quote it"},
      {networks("[~]"), 2, 40, "item 1 is no text", "quote it"},
      {networks("{}"), 2, 40, "must be a list", "brackets"},
      {networks("[localhost]"), 2, 58, "item 1 has no prefix length", "10.0.0.0/8"},
      {networks(many + "]"), 2, 40, "has more items, expected at most 64 networks", "shorten"},
      {networks("[&x 10.0.0.0/8]"), 2, 58, "anchors", ""},
      {networks("[!!str 10.0.0.0/8]"), 2, 58, "tags", ""},
  });
  const Loaded loaded = load_text(
      kDatabase + "kinds: {k: {http: {url: '{u}', allow_addresses: [10.0.0.0/8, 'fd00::/8']}}}\n",
      "c.yaml", {});
  BOOST_TEST(format_errors(loaded.errors) == "");
  BOOST_TEST(loaded.options.kinds.at("k").http.value().allow_addresses.back() == "fd00::/8");
}

BOOST_AUTO_TEST_CASE(headers_that_are_ours_or_no_headers_are_refused) {
  const auto headers = [](const std::string& map) { return with("headers: " + map); };
  std::string many = "{h: v";
  for (int i = 0; i < 64; ++i) many += ", h" + std::to_string(i) + ": v";
  expect_refused({
      {headers("{Host: x}"), 5, 13, "kinds.k.http.headers: the header 'Host' is set by outboxd",
       "keys"},
      {headers("{content-type: x}"), 5, 13, "set by outboxd itself", "content_type"},
      {headers("{a b: x}"), 5, 13, "has a name that is not accepted", ""},
      {headers("{\"a\\nb\": x}"), 5, 13, "the header 'a b' has a name", ""},
      {headers("{X: \"s3cret\\r\\nHost: y\"}"), 5, 16, "not printable ASCII", "printable"},
      {headers("{X: ''}"), 5, 16, "is empty", "printable"},
      {headers("{X: }"), 5, 13, "kinds.k.http.headers.X: has no value", "give it a value"},
      {headers("{X: [a]}"), 5, 13, "must be text, not a list", "single value"},
      {headers("{X: a, X: b}"), 5, 19, "duplicate key 'kinds.k.http.headers.X'", ""},
      {headers("{X-a: a, x-A: b}"), 5, 21, "'x-A' is given twice", ""},
      {headers("[a]"), 5, 3, "must be a map", ""},
      {headers(many + "}"), 5, 3, "has 65 headers, expected at most 64 headers", "shorten"},
  });
  BOOST_TEST(has(errors_of(with("headers: {Authorization: x}, bearer_env: B"), "token"),
                 "c.yaml:5:3: kinds.k.http.headers: authorization is given by bearer already"));
}

BOOST_AUTO_TEST_CASE(secrets_are_checked_and_never_quoted) {
  const auto refused = [](const std::string& line, const std::string& value) {
    const std::string errors = errors_of(with(line), value);
    BOOST_TEST(!has(errors, "s3cret"));
    return errors;
  };
  BOOST_TEST(has(refused("bearer_env: B", "s3cret token"),
                 "c.yaml:5:15: kinds.k.http.bearer_env: the token has a space"));
  BOOST_TEST(has(refused("bearer_env: B", "s3cret\r\nHost: x"), "not printable ASCII"));
  BOOST_TEST(has(refused("bearer_env: B", ""), "'B' is empty"));
  BOOST_TEST(has(refused("bearer_env: B, bearer_file: /x", "s3cret"),
                 "second source of the bearer, beside kinds.k.http.bearer_env"));
  BOOST_TEST(has(refused("signing_env: S", kKey + " whsec_s3cret"),
                 "c.yaml:5:16: kinds.k.http.signing_env: key 2 of 2 is not base64"));
  BOOST_TEST(has(refused("bearer: s3-token", "x"), "unknown key 'bearer'"));
  const std::string errors =
      errors_of(kDatabase + "kinds: {k: {http: {url_env: U}}}\n", "https://h/s3cret#x");
  BOOST_TEST(has(errors, "c.yaml:2:29: kinds.k.http.url_env: the url has a fragment"));
  BOOST_TEST(!has(errors, "s3cret"));
}

BOOST_AUTO_TEST_CASE(files_stand_beside_the_configuration) {
  Folder folder;
  folder.write("url", "https://h/s3cret\n", 0600);
  folder.write("token", "abc\n", 0640);
  folder.write("keys", kKey + "\n" + kKey + "\n", 0600);
  folder.write("ca.pem", "certificates", 0644);
  folder.write("cert.pem", "certificate", 0644);
  const std::string key = folder.write("key.pem", "key", 0600);
  const std::string kinds =
      "kinds: {k: {http: {url_file: url, bearer_file: token, signing_file: ./keys,\n"
      "  ca_file: ca.pem, client_cert_file: cert.pem, client_key_file: key.pem}}}\n";
  const std::string file = folder.write("c.yaml", kDatabase + kinds, 0644);
  const Loaded loaded = load_file(file, {});
  BOOST_TEST(format_errors(loaded.errors) == "");
  const core::HttpHandler& http = loaded.options.kinds.at("k").http.value();
  BOOST_TEST(http.url == "https://h/s3cret");
  BOOST_TEST(http.bearer.text == "abc");
  BOOST_TEST(http.signing.text == kKey + "\n" + kKey);
  BOOST_TEST(http.client_key_file == key);
  const std::string start = key.substr(0, key.rfind('/') + 1);
  BOOST_TEST(http.url_file == start + "url");
  BOOST_TEST(http.signing.file == start + "keys");
  BOOST_TEST(http.ca_file == start + "ca.pem");

  folder.write("key.pem", "key", 0644);
  folder.write("token", "abc", 0644);
  const std::string errors = format_errors(load_file(file, {}).errors);
  BOOST_TEST(has(errors, ":3:65: kinds.k.http.client_key_file: the file '" + key +
                             "' can be read by everybody"));
  BOOST_TEST(has(errors, ":2:48: kinds.k.http.bearer_file: the file"));
}

BOOST_AUTO_TEST_CASE(a_certificate_needs_its_key_and_the_reverse) {
  Folder folder;
  const std::string file = folder.write("x.pem", "x", 0600);
  expect_refused({
      {with("client_cert_file: " + file), 5, 21, "client_cert_file: needs client_key_file", "both"},
      {with("client_key_file: " + file), 5, 20, "client_key_file: needs client_cert_file", "both"},
  });
}

BOOST_AUTO_TEST_SUITE_END()
