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
  o.log = {"warn", core::LogFormat::json};
  o.admin = {"fe80::1", 65'535};
  return o;
}

}  // namespace print_test

BOOST_AUTO_TEST_SUITE(print_test)

BOOST_AUTO_TEST_CASE(what_is_printed_loads_to_the_same) {
  const core::Options options = unusual();
  const std::string text = print(options);
  BOOST_TEST_CONTEXT(text) {
    const Loaded loaded = load_text(text, "printed", kNone);
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
    BOOST_TEST_CONTEXT(key.path) { BOOST_TEST(text.find(" " + leaf + ": ") != std::string::npos); }
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

BOOST_AUTO_TEST_SUITE_END()
