// What is printed loads again to the same, and shows no password.
#include "config/print.hpp"

#include <random>

#include <boost/test/unit_test.hpp>

#include "config/format.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"

namespace print_test {

using outbox::config::Environment;
using outbox::config::format_errors;
using outbox::config::Key;
using outbox::config::known_keys;
using outbox::config::load_text;
using outbox::config::Loaded;
using outbox::config::print;
using namespace std::chrono_literals;
namespace core = outbox::core;

const Environment kNone = [](const std::string&) { return std::nullopt; };
const Environment kSecrets = [](const std::string& name) -> std::optional<std::string> {
  if (name == "TOKEN") return "s3cret-token";
  if (name == "KEYS") return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  if (name == "HOOK") return "https://h/s3cret/{id}";
  return std::nullopt;
};

core::HttpHandler unusual_http() {
  core::HttpHandler h;
  h.url = "http://{host}:8080/%7B/{order.id}?q=%22";
  h.method = "PATCH";
  h.content_type = "text/plain; charset=\"utf-8\"";
  h.headers = {{"X-Shop", "a: #b, \"c\" 'd' \\"}, {"null", "null"}, {"~", "true"}};
  h.bearer = {"", "TOKEN", "s3cret-token"};
  h.signing = {"", "KEYS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
  h.idempotency_key = core::IdempotencyKey::plain;
  h.cloudevents_source = "/shop#1";
  h.cloudevents_type = "com.shop.order";
  h.connect_timeout = 1234ms;
  h.concurrency = 9'999;
  h.rate = 1.0 / 3;
  h.breaker = {false, 0.25, 7, 11s, 333ms, 3h};
  h.retry_after_most = 36h;
  h.retry_client_errors = true;
  h.control = true;
  h.response_most = 0;
  h.keep_response = true;
  h.http2 = false;
  h.ca_file = OUTBOX_SOURCE_DIR "/README.md";
  h.allow_addresses = {"10.0.0.0/8", "fd00::/8"};
  h.allow_plain_http = true;
  return h;
}

core::ExecHandler unusual_exec() {
  core::ExecHandler e;
  e.argv = {"/bin/sh", "-c", "echo \"$1\"\n# \t'x', [y]", "", "null", "~", "200", "- a: b", "é"};
  e.cwd = "/srv/my app";
  e.umask = 07;
  e.user = "www-data";
  e.env = {"PATH", "_x9"};
  e.concurrency = 1'000;
  e.kill_after = 0ms;
  e.done_codes = {0, 3, 255};
  e.dead_codes = {};
  e.control = core::ExecControl::fd3;
  e.output_kept = 0;
  e.output_most = 1'536 * 1'024;
  e.memory = 512LL << 20U;
  e.cpu = 90s;
  e.files = 8;
  e.processes = 12;
  e.file_size = 100;
  e.keep_output = true;
  return e;
}

core::Options unusual() {
  core::Options o;
  o.database = {"host='/a b' dbname=\"x\" user=it\\'s", 7s, 100ms, true};
  o.processor = {"café: \"x\" # ~", 1234ms, 5s, 0ms, 90s / 2, 7, 3650};
  o.queues["a.b/c:d-e"] = {1, 1, 7, false, 30};
  o.queues["null"] = {256, 256, 50, true, 1};
  o.kinds["true"] = {};
  o.kinds["1e3"].sql = core::SqlHandler{"SELECT 'a: b' -- x\n  FROM \"c\\d\"\n\n;", "", "My role"};
  o.kinds["tab"].sql = core::SqlHandler{"SELECT\t1\n  + 1", "", ""};
  o.kinds["trail"].sql = core::SqlHandler{"SELECT 1 \n+ 1", "", ""};
  o.kinds["direct"] = {core::SqlHandler{"", "\"My s\".\"f\"\"\"", "null"},
                       core::Lane::direct,
                       1ms * 77'777,
                       {1ms, 1.0 / 3 + 1, 24h * 30, 0.5}};
  o.kinds["http"].http = unusual_http();
  o.kinds["exec"].exec = unusual_exec();
  o.log = {"warn", core::LogFormat::json};
  o.admin = {"fe80::1", 65'535};
  return o;
}

void same(const core::HttpHandler& a, const core::HttpHandler& b) {
  BOOST_TEST(a.url == b.url);
  BOOST_TEST(a.method == b.method);
  BOOST_TEST(a.content_type == b.content_type);
  BOOST_TEST((a.headers == b.headers));
  BOOST_TEST(a.bearer.text == b.bearer.text);
  BOOST_TEST(a.signing.text == b.signing.text);
  BOOST_TEST((a.idempotency_key == b.idempotency_key));
  BOOST_TEST(a.cloudevents_source == b.cloudevents_source);
  BOOST_TEST(a.cloudevents_type == b.cloudevents_type);
  BOOST_TEST((a.connect_timeout == b.connect_timeout && a.concurrency == b.concurrency));
  BOOST_TEST(a.rate == b.rate, boost::test_tools::tolerance(0.0));
  BOOST_TEST((a.breaker.enabled == b.breaker.enabled && a.breaker.failures == b.breaker.failures &&
              a.breaker.least == b.breaker.least && a.breaker.window == b.breaker.window &&
              a.breaker.pause == b.breaker.pause && a.breaker.pause_most == b.breaker.pause_most));
  BOOST_TEST((a.retry_after_most == b.retry_after_most));
  BOOST_TEST((a.retry_client_errors && a.control && a.keep_response && a.allow_plain_http));
  BOOST_TEST(!a.http2);
  BOOST_TEST(a.response_most == b.response_most);
  BOOST_TEST(a.ca_file == b.ca_file);
  BOOST_TEST((a.allow_addresses == b.allow_addresses));
}

void same(const core::ExecHandler& a, const core::ExecHandler& b) {
  BOOST_TEST((a.argv == b.argv));
  BOOST_TEST(a.cwd == b.cwd);
  BOOST_TEST((a.umask == b.umask && a.user == b.user && a.env == b.env));
  BOOST_TEST((a.concurrency == b.concurrency && a.kill_after == b.kill_after));
  BOOST_TEST((a.done_codes == b.done_codes && a.dead_codes == b.dead_codes));
  BOOST_TEST((a.control == b.control && a.keep_output == b.keep_output));
  BOOST_TEST((a.output_kept == b.output_kept && a.output_most == b.output_most));
  BOOST_TEST((a.memory == b.memory && a.cpu == b.cpu && a.files == b.files));
  BOOST_TEST((a.processes == b.processes && a.file_size == b.file_size));
}

}  // namespace print_test

BOOST_AUTO_TEST_SUITE(print_test)

BOOST_AUTO_TEST_CASE(what_is_printed_loads_to_the_same) {
  const core::Options options = unusual();
  const std::string text = print(options);
  BOOST_TEST_CONTEXT(text) {
    const Loaded loaded = load_text(text, "printed", kSecrets);
    BOOST_TEST(format_errors(loaded.errors) == "");
    const core::Options& back = loaded.options;
    BOOST_TEST(print(back) == text);
    // print could lose the same thing twice, so look at the fields as well.
    BOOST_TEST(back.database.url == options.database.url);
    BOOST_TEST(back.database.allow_privileged_role);
    BOOST_TEST(back.processor.name == options.processor.name);
    BOOST_TEST((back.processor.poll == options.processor.poll));
    BOOST_TEST(back.queues.at("null").direct_workers == 256);
    BOOST_TEST(back.queues.at("a.b/c:d-e").group_most == 7);
    BOOST_TEST(!back.queues.at("a.b/c:d-e").history);
    for (const auto& [name, kind] : options.kinds) {
      BOOST_TEST_CONTEXT(name) {
        const core::KindOptions& other = back.kinds.at(name);
        BOOST_REQUIRE(other.sql.has_value() == kind.sql.has_value());
        if (kind.sql) {
          BOOST_TEST(other.sql->statement == kind.sql->statement);
          BOOST_TEST(other.sql->function == kind.sql->function);
          BOOST_TEST(other.sql->role == kind.sql->role);
        }
        BOOST_TEST((other.lane == kind.lane && other.timeout == kind.timeout));
        BOOST_TEST(other.backoff.factor == kind.backoff.factor, boost::test_tools::tolerance(0.0));
      }
    }
    same(back.kinds.at("http").http.value(), options.kinds.at("http").http.value());
    same(back.kinds.at("exec").exec.value(), options.kinds.at("exec").exec.value());
    BOOST_TEST((back.log.format == core::LogFormat::json));
    BOOST_TEST(back.admin.host == "fe80::1");
    BOOST_TEST(back.admin.port.value() == 65'535);
  }
}

// Whatever characters a statement or name has: the quoting must be exact.
BOOST_AUTO_TEST_CASE(random_texts_survive_the_round_trip) {
  std::mt19937 random{20'240'601};
  const std::string letters = "ab1 :#-'\"\\\n\t,[]{}&*!|>%@`~$.é=?\x01";
  for (int round = 0; round < 2'000; ++round) {
    core::SqlHandler handler{"x", "", ""};
    for (auto length = random() % 20; length > 0; --length) {
      const std::size_t at = random() % letters.size();
      if (static_cast<unsigned char>(letters[at]) < 0x80) handler.statement += letters[at];
    }
    handler.statement += "x";
    core::Options options;
    options.database.url = "dbname=a";
    options.queues["default"];
    options.kinds["k"].sql = handler;
    const Loaded loaded = load_text(print(options), "printed", kNone);
    BOOST_TEST_CONTEXT(print(options)) {
      BOOST_REQUIRE(format_errors(loaded.errors) == "");
      BOOST_REQUIRE(loaded.options.kinds.at("k").sql.value().statement == handler.statement);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_key_is_printed) {
  const std::string text = print(unusual());
  for (const Key& key : known_keys()) {
    const std::string leaf = key.path.substr(key.path.rfind('.') + 1);
    const bool source =
        leaf.find("_env") != std::string::npos || leaf.find("_file") != std::string::npos;
    if (source) continue;  // the url is printed as it is in effect
    const bool section = text.find(" " + leaf + ":\n") != std::string::npos;
    BOOST_TEST_CONTEXT(key.path) {
      BOOST_TEST((section || text.find(" " + leaf + ": ") != std::string::npos));
    }
  }
}

BOOST_AUTO_TEST_CASE(passwords_are_hidden) {
  for (const std::string url : {"postgresql://u:s3cret@h/db", "postgresql:///db?password=s3cret",
                                "host=h password='s3cret'", "s3cret"}) {
    core::Options options;
    options.database.url = url;
    BOOST_TEST_CONTEXT(url) {
      BOOST_TEST(print(options).find("s3cret") == std::string::npos);
      BOOST_TEST(print(options).find("[secret]") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(secrets_of_handlers_are_shown_as_their_source) {
  core::Options options = unusual();
  core::HttpHandler& http = options.kinds.at("http").http.value();
  http.url_env = "HOOK";
  http.url = "https://h/s3cret/{id}";
  http.allow_addresses.clear();
  http.allow_plain_http = false;
  const std::string text = print(options);
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST(text.find("s3cret") == std::string::npos);
    BOOST_TEST(text.find("whsec_") == std::string::npos);
    for (const std::string line :
         {"url_env: HOOK\n", "bearer_env: TOKEN\n", "signing_env: KEYS\n"}) {
      BOOST_TEST(text.find("      " + line) != std::string::npos);
    }
    const Loaded loaded = load_text(text, "printed", kSecrets);
    BOOST_TEST(format_errors(loaded.errors) == "");
    BOOST_TEST(loaded.options.kinds.at("http").http.value().url == http.url);
    BOOST_TEST(print(loaded.options) == text);
  }
  http.url_env.clear();
  http.url_file = "/etc/outboxd/hook";
  http.bearer = {"/etc/outboxd/token", "", "s3cret"};
  BOOST_TEST(print(options).find("url_file: \"/etc/outboxd/hook\"\n") != std::string::npos);
  BOOST_TEST(print(options).find("bearer_file: \"/etc/outboxd/token\"\n") != std::string::npos);
  BOOST_TEST(print(options).find("s3cret") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
