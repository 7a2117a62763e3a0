// The header of a migration file as a contract that programs can read.
#include "core/migration_header.hpp"

#include <boost/test/unit_test.hpp>

namespace migration_header_test {

using outbox::core::MigrationHeader;
using outbox::core::parse_migration_header;

std::string file(const std::string& locks = "none", const std::string& rest = "none") {
  std::string text = "-- outbox migration 0007 UP: things\n";
  for (const auto& key : outbox::core::migration_header_keys()) {
    std::string value = "words";
    if (key == "KIND") value = "expand";
    if (key == "LOCKS") value = locks;
    if (key == "REWRITE" || key == "SCAN" || key == "PRECHECK" || key == "DATA LOST") value = rest;
    if (key == "DURATION") value = "at most 200 ms; measured 5";
    if (key == "COMPAT") value = "min_reader 4; older programs go on";
    text += "-- " + key + std::string(12 - key.size(), ' ') + value + "\n";
  }
  return text + "-- ==== SQL ====\nSELECT 1;\n";
}

bool has_problem(const MigrationHeader& header, const std::string& part) {
  for (const auto& problem : header.problems) {
    if (problem.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace migration_header_test

BOOST_AUTO_TEST_SUITE(migration_header_test)

BOOST_AUTO_TEST_CASE(a_whole_header_is_read) {
  const auto header = parse_migration_header(
      file("outbox.jobs ACCESS EXCLUSIVE: blocks everything,\n--             for milliseconds\n"
           "--             outbox.queues SHARE ROW EXCLUSIVE: blocks writes"));
  BOOST_TEST(header.problems.empty());
  BOOST_REQUIRE(header.locks.size() == 2U);
  BOOST_TEST(header.locks[0].table == "outbox.jobs");
  BOOST_TEST(header.locks[0].mode == "ACCESS EXCLUSIVE");
  BOOST_TEST(header.locks[0].words == "blocks everything, for milliseconds");
  BOOST_TEST(header.locks[1].mode == "SHARE ROW EXCLUSIVE");
  BOOST_TEST(header.duration.count() == 200);
  BOOST_TEST(header.min_reader == 4);
  BOOST_TEST(!header.loses_data);
  BOOST_TEST(header.field("EFFECT") == "words");
  BOOST_TEST(header.field("NOTHING").empty());
}

BOOST_AUTO_TEST_CASE(tables_and_queries_are_lists) {
  auto header = parse_migration_header(file("none", "outbox.jobs, outbox.dead_jobs: to count"));
  BOOST_TEST(header.rewrites == (std::vector<std::string>{"outbox.jobs", "outbox.dead_jobs"}));
  BOOST_TEST(header.scans.size() == 2U);
  BOOST_TEST(header.loses_data);
  BOOST_TEST(has_problem(header, "PRECHECK: expected 'none' or queries"));
  header = parse_migration_header(
      file("none", "SELECT 1 WHERE false;\n--             WITH a AS (SELECT 2) SELECT * FROM a;"));
  BOOST_TEST(
      header.prechecks ==
      (std::vector<std::string>{"SELECT 1 WHERE false", "WITH a AS (SELECT 2) SELECT * FROM a"}));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_said) {
  BOOST_TEST(has_problem(parse_migration_header(""), "==== SQL ===="));
  BOOST_TEST(has_problem(parse_migration_header(""), "expected field RELEASE, found the end"));
  BOOST_TEST(
      has_problem(parse_migration_header(file("outbox.jobs MUCH: words")), "LOCKS: expected"));
  BOOST_TEST(has_problem(parse_migration_header(file("outbox.jobs SHARE: ")), "LOCKS: expected"));
  auto text = file();
  text.replace(text.find("expand"), 6, "grow");
  text.replace(text.find("at most"), 7, "about");
  text.replace(text.find("min_reader"), 10, "reader");
  const auto header = parse_migration_header(text);
  BOOST_TEST(header.problems.size() == 3U);
  BOOST_TEST(has_problem(header, "KIND: expected expand"));
  BOOST_TEST(has_problem(header, "DURATION: expected 'at most"));
  BOOST_TEST(has_problem(header, "COMPAT: expected 'min_reader N"));
}

BOOST_AUTO_TEST_CASE(the_sql_begins_below_the_marker) {
  BOOST_TEST(outbox::core::below_header(file()) == "SELECT 1;\n");
  BOOST_TEST(outbox::core::below_header("SELECT 2;\n") == "SELECT 2;\n");
}

BOOST_AUTO_TEST_SUITE_END()
