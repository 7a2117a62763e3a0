// The objects of the schema: as the catalog files say, at every version, and what drifted from
// them.
#include <boost/test/unit_test.hpp>

#include "store/catalog.hpp"
#include "store/migrate.hpp"
#include "store/migration_files.hpp"
#include "store/schema_version.hpp"
#include "support/database.hpp"

namespace catalog_pgtest {

using outbox::store::CatalogDrift;
using outbox::store::Database;
using outbox::test::Schema;
using outbox::test::TestDatabase;

Database open(const TestDatabase& test) {
  return {{.url = outbox::test::test_url(test.name())}, "catalog", outbox::store::Use::people};
}

std::string first(const std::vector<std::string>& lines) {
  return lines.empty() ? "none" : lines.front();
}

}  // namespace catalog_pgtest

BOOST_AUTO_TEST_SUITE(catalog_pgtest)

BOOST_AUTO_TEST_CASE(every_version_is_as_its_catalog_files_say_up_and_down) {
  TestDatabase test{Schema::empty};
  auto database = open(test);
  BOOST_TEST(catalog(database).empty());
  BOOST_TEST(catalog_drift(database).unknown_why == "no schema outbox");
  const int newest = outbox::store::schema_built_for();
  for (int version = 1; version <= newest; ++version) {
    outbox::store::migrate_up(database, version, {});
    const auto drift = catalog_drift(database);
    BOOST_TEST(catalog_pgtest::first(drift.missing) == "none", "version " << version);
    BOOST_TEST(catalog_pgtest::first(drift.unexpected) == "none", "version " << version);
  }
  for (int version = newest - 1; version >= 1; --version) {
    outbox::store::migrate_down(database, {.to = version, .allow_data_loss = false}, {});
    BOOST_TEST(catalog_drift(database).none(), "back at version " << version);
  }
}

BOOST_AUTO_TEST_CASE(every_kind_of_drift_is_seen) {
  TestDatabase test;
  auto database = open(test);
  const auto drift_after = [&](const std::string& change, const std::string& back) {
    test.exec(change);
    auto drift = catalog_drift(database);
    test.exec(back);
    BOOST_TEST(catalog_drift(database).none(), back);
    return drift;
  };
  BOOST_TEST(catalog_drift(database).none());
  auto drift = drift_after("ALTER TABLE outbox.jobs ALTER COLUMN max_attempts SET DEFAULT 3",
                           "ALTER TABLE outbox.jobs ALTER COLUMN max_attempts SET DEFAULT 20");
  BOOST_TEST(catalog_pgtest::first(drift.missing).starts_with("column outbox.jobs.max_attempts: "));
  BOOST_TEST(
      catalog_pgtest::first(drift.unexpected).starts_with("column outbox.jobs.max_attempts: "));
  drift = drift_after("ALTER TABLE outbox.jobs SET (fillfactor = 90)",
                      "ALTER TABLE outbox.jobs SET (fillfactor = 45)");
  BOOST_TEST(catalog_pgtest::first(drift.unexpected).starts_with("storage outbox.jobs: "));
  drift = drift_after("ALTER TABLE outbox.jobs DISABLE TRIGGER jobs_inserted",
                      "ALTER TABLE outbox.jobs ENABLE TRIGGER jobs_inserted");
  BOOST_TEST(catalog_pgtest::first(drift.unexpected).ends_with(" DISABLED"));
  drift = drift_after("CREATE INDEX extra ON outbox.jobs (kind)", "DROP INDEX outbox.extra");
  BOOST_TEST(drift.missing.empty());
  BOOST_TEST(catalog_pgtest::first(drift.unexpected).starts_with("index outbox.extra: "));
  drift = drift_after("ALTER FUNCTION outbox.wake() SET jit = off",
                      "ALTER FUNCTION outbox.wake() RESET jit");
  BOOST_TEST(catalog_pgtest::first(drift.unexpected).starts_with("function outbox.wake(): "));
  drift = drift_after("CREATE VIEW outbox.theirs AS SELECT 1 AS one", "DROP VIEW outbox.theirs");
  BOOST_TEST(drift.unexpected.size() == 2U);
}

BOOST_AUTO_TEST_CASE(grants_owners_and_rows_are_no_drift) {
  TestDatabase test;
  auto database = open(test);
  test.exec(
      "INSERT INTO outbox.jobs (kind) VALUES ('k'); GRANT SELECT ON outbox.jobs TO PUBLIC; ALTER "
      "VIEW outbox.queue_health OWNER TO pg_database_owner");
  BOOST_TEST(catalog_drift(database).none());
}

BOOST_AUTO_TEST_CASE(a_newer_version_is_known_by_what_the_ledger_kept) {
  TestDatabase test;
  auto database = open(test);
  const std::string next = std::to_string(outbox::store::schema_built_for() + 1);
  test.exec(
      "CREATE TABLE outbox.extra (a int); INSERT INTO outbox.schema_migrations (version, name, "
      "min_reader) VALUES (" +
      next + ", 'extra', 1)");
  BOOST_TEST(catalog_drift(database).unknown_why.find("neither this program nor the ledger") == 0U);
  test.exec(
      "UPDATE outbox.schema_migrations SET catalog = E'+ column outbox.extra.a: 1 integer\\n"
      "+ table outbox.extra: ordinary\\n' WHERE version = " +
      next);
  BOOST_TEST(catalog_drift(database).unknown_why.empty());
  BOOST_TEST(catalog_drift(database).none());
}

BOOST_AUTO_TEST_SUITE_END()
