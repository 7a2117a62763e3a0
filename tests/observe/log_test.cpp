// Log lines: the two formats, levels, and texts that try to break out.
#include "observe/log.hpp"

#include <boost/test/unit_test.hpp>

#include "support/captured_log.hpp"

namespace log_test {

using namespace outbox;
using core::LogFormat;
using observe::Level;
using observe::Line;
using test::CapturedLog;

const std::string kForged =
    "x\n2026-01-01T00:00:00.000Z error dead job=1\r\x1B[2J\" event=dead \\\" job=2";

}  // namespace log_test

BOOST_AUTO_TEST_SUITE(log_test)

BOOST_AUTO_TEST_CASE(a_line_for_people_has_time_level_event_and_fields) {
  const CapturedLog log{"info", LogFormat::human};
  Line{Level::warn, "retried"}
      .number("job", 12)
      .text("queue", "default")
      .text("why", "a b")
      .text("empty", "")
      .flag("ok", true)
      .duration("ran_ms", std::chrono::microseconds{1500})
      .write();
  BOOST_REQUIRE_EQUAL(log.lines().size(), 1U);
  const std::string line = log.lines().at(0);
  BOOST_TEST(line.substr(24) ==
             R"( warn  retried job=12 queue=default why="a b" empty="" ok=true ran_ms=1.5)");
  BOOST_TEST(line.at(10) == 'T');
  BOOST_TEST(line.at(19) == '.');
  BOOST_TEST(line.at(23) == 'Z');
}

BOOST_AUTO_TEST_CASE(a_json_line_has_typed_fields) {
  const CapturedLog log{"info", LogFormat::json};
  Line{Level::info, "pruned"}
      .number("rows", 9'007'199'254'740'993)
      .text("table", "t")
      .duration("ms", std::chrono::microseconds{250})
      .write();
  const auto line = nlohmann::json::parse(log.lines().at(0));
  BOOST_TEST(line.at("level") == "info");
  BOOST_TEST(line.at("event") == "pruned");
  BOOST_TEST(line.at("rows").get<std::int64_t>() == 9'007'199'254'740'993);
  BOOST_TEST(line.at("ms").get<double>() == 0.25);
  BOOST_TEST(line.at("ts").get<std::string>().size() == 24U);
}

BOOST_AUTO_TEST_CASE(no_text_can_forge_a_line_or_a_field) {
  for (const auto format : {LogFormat::human, LogFormat::json}) {
    const CapturedLog log{"info", format};
    Line{Level::error, "real"}.text("error", kForged).write();
    BOOST_REQUIRE_EQUAL(log.lines().size(), 1U);
    const std::string line = log.lines().at(0);
    for (const char c : line) BOOST_REQUIRE(static_cast<unsigned char>(c) >= 0x20);
    if (format == LogFormat::json) {
      BOOST_TEST(nlohmann::json::parse(line).at("event") == "real");
    } else {
      // Everything after error= is one quoted value: the first bare quote closes the line.
      const auto value = line.substr(line.find("error=\"") + 7);
      std::size_t at = 0;
      while (value.at(at) != '"') at += value.at(at) == '\\' ? 2 : 1;
      BOOST_TEST(at + 1 == value.size());
    }
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_of_any_length_make_one_valid_short_json_line) {
  for (const std::string& hostile : {std::string(1U << 20U, '\xFF'), std::string(1U << 20U, '"'),
                                     std::string{"\0\x7F\xC2\x9B\xED\xA0\x80\xF5", 9}}) {
    const CapturedLog log{"info", LogFormat::json};
    Line{Level::error, "dead"}.text("error", hostile).write();
    BOOST_REQUIRE_EQUAL(log.lines().size(), 1U);
    BOOST_TEST(log.lines().at(0).size() < 3 * observe::kLogTextMax);
    BOOST_TEST(nlohmann::json::accept(log.lines().at(0)));
  }
}

BOOST_AUTO_TEST_CASE(levels_below_the_chosen_one_are_silent) {
  const CapturedLog log{"warn", LogFormat::human};
  BOOST_TEST(!observe::logs(Level::info));
  BOOST_TEST(observe::logs(Level::warn));
  Line{Level::info, "quiet"}.write();
  Line{Level::error, "loud"}.write();
  BOOST_TEST(log.lines().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
