// Which programs may run on which schema: the rule alone.
#include "store/schema_version.hpp"

#include <boost/test/unit_test.hpp>

#include "store/live_processors.hpp"
#include "store/migration_files.hpp"

namespace schema_version_test {

using outbox::core::ExitCode;
using outbox::store::compatible;
using outbox::store::SchemaVersion;

// Built for 5, able to run on 4.
ExitCode verdict(std::optional<SchemaVersion> schema) {
  const auto problem = compatible(schema, 5, 4);
  return problem ? problem->code() : ExitCode::ok;
}

}  // namespace schema_version_test

BOOST_AUTO_TEST_SUITE(schema_version_test)

BOOST_AUTO_TEST_CASE(the_program_is_built_for_the_newest_migration_it_contains) {
  BOOST_TEST(outbox::store::known_migrations().back().version == outbox::store::schema_built_for());
  BOOST_TEST(outbox::store::kSchemaOldest <= outbox::store::schema_built_for());
}

BOOST_AUTO_TEST_CASE(an_older_schema_asks_for_migration) {
  BOOST_CHECK(verdict(std::nullopt) == ExitCode::pending);
  BOOST_CHECK(verdict(SchemaVersion{3, 3}) == ExitCode::pending);
  BOOST_CHECK(verdict(SchemaVersion{4, 4}) == ExitCode::ok);
  BOOST_CHECK(verdict(SchemaVersion{5, 5}) == ExitCode::ok);
}

BOOST_AUTO_TEST_CASE(a_newer_schema_stops_it_only_when_that_one_says_so) {
  BOOST_CHECK(verdict(SchemaVersion{6, 5}) == ExitCode::ok);
  BOOST_CHECK(verdict(SchemaVersion{6, 2}) == ExitCode::ok);
  BOOST_CHECK(verdict(SchemaVersion{6, 6}) == ExitCode::schema_newer);
}

BOOST_AUTO_TEST_CASE(the_message_says_what_to_do) {
  const auto older = compatible(SchemaVersion{3, 3}, 5, 4);
  BOOST_TEST(older->what() == std::string{"the schema is at version 3, this program needs 4"});
  BOOST_TEST(older->hint().find("outboxd migrate up") != std::string::npos);
  const auto newer = compatible(SchemaVersion{7, 6}, 5, 4);
  BOOST_TEST(newer->what() == std::string{"the schema is at version 7 and asks for a program built "
                                          "for 6 or later; this one was built for 5"});
  BOOST_TEST(newer->hint().find("do not restart") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_live_processor_is_judged_by_the_same_rule) {
  const outbox::store::LiveProcessor processor{
      .id = 1, .name = {}, .program = {}, .built_for = 5, .oldest_schema = 4, .heartbeat_age = 0};
  for (int version = 1; version <= 8; ++version) {
    for (int min_reader = 1; min_reader <= version; ++min_reader) {
      const bool may = verdict(SchemaVersion{version, min_reader}) == ExitCode::ok;
      BOOST_TEST(processor.could_live_with({version, min_reader}) == may,
                 version << " asks for " << min_reader);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
