// The rules that every migration file keeps (migrations/README.md), checked on the texts embedded
// in the program.
#include "store/migration_files.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include "store/embedded.hpp"

namespace migration_files_test {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace migration_files_test

BOOST_AUTO_TEST_SUITE(migration_files_test)

BOOST_AUTO_TEST_CASE(numbers_are_dense_and_every_migration_has_both_ways) {
  int expected = 0;
  for (const auto& migration : outbox::store::known_migrations()) {
    BOOST_TEST(migration.version == ++expected);
    BOOST_TEST(!migration.name.empty());
    BOOST_TEST(!migration.up.empty());
    BOOST_TEST(!migration.down.empty());
    BOOST_TEST(!migration.verify.empty());
    BOOST_TEST(!migration.catalog.empty());
  }
  BOOST_TEST(expected > 0);
  BOOST_TEST(outbox::store::embedded_migrations().size() == 4U * static_cast<unsigned>(expected));
}

BOOST_AUTO_TEST_CASE(embedded_texts_are_the_files_byte_for_byte) {
  for (const auto& file : outbox::store::embedded_migrations()) {
    std::ifstream in{std::string{OUTBOX_SOURCE_DIR} + "/migrations/" + std::string{file.name},
                     std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    BOOST_TEST((text == file.text), std::string{file.name});
  }
}

// The header is a contract: what an operator must know before running the file.
BOOST_AUTO_TEST_CASE(headers_are_complete) {
  for (const auto& migration : outbox::store::known_migrations()) {
    const std::string label = outbox::store::migration_label(migration.version, migration.name);
    for (const bool up : {true, false}) {
      const auto header = outbox::store::header_of(up ? migration.up : migration.down);
      const std::string file = label + (up ? ".up.sql" : ".down.sql");
      for (const auto& problem : header.problems) BOOST_TEST(false, file + ": " + problem);
      BOOST_TEST(contains(header.field("RUN"), "--single-transaction -f " + file), file);
      BOOST_TEST(contains(header.field("RUN"), up ? "outboxd migrate up" : "outboxd migrate down"),
                 file);
      BOOST_TEST((!up || contains(migration.up, ", " + std::to_string(header.min_reader) + ");\n")),
                 file + ": min_reader of header and ledger differ");
    }
    BOOST_TEST(contains(outbox::store::header_of(migration.up).field("VERIFY"),
                        "verify/" + label + ".sql"),
               label);
    BOOST_TEST(!outbox::store::header_of(migration.up).loses_data, label);
  }
}

// So that psql, outboxd and other tools can run the same file, in databases of any encoding.
BOOST_AUTO_TEST_CASE(files_are_plain_sql_in_ascii_without_transaction_commands) {
  for (const auto& file : outbox::store::embedded_migrations()) {
    if (file.name.ends_with(".txt")) continue;
    BOOST_TEST(std::all_of(file.text.begin(), file.text.end(),
                           [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; }),
               std::string{file.name} + ": ASCII only, LF only, no tabs");
    std::istringstream lines{std::string{file.text}};
    for (std::string line; std::getline(lines, line);) {
      const bool bad = line.starts_with("\\") || line == "BEGIN;" || line.starts_with("COMMIT") ||
                       contains(line, "CONCURRENTLY");
      BOOST_TEST(!bad, std::string{file.name} + ": " + line);
    }
  }
}

BOOST_AUTO_TEST_CASE(files_guard_and_record_themselves) {
  for (const auto& migration : outbox::store::known_migrations()) {
    const auto version = std::to_string(migration.version);
    BOOST_TEST(contains(
        migration.up, "INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (" +
                          version + ", '" + migration.name + "', "));
    for (const auto& text : {migration.up, migration.down}) {
      BOOST_TEST(contains(text, "SET LOCAL lock_timeout = '2s';"));
      if (migration.version == 1 && text == migration.up) continue;  // it creates the ledger
      BOOST_TEST(contains(
          text,
          "\n-- ==== SQL ====\nLOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;\n"));
      BOOST_TEST(contains(text, "ERRCODE = '55000'"));
    }
    BOOST_TEST((migration.version == 1 ||
                contains(migration.down,
                         "DELETE FROM outbox.schema_migrations WHERE version = " + version)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
