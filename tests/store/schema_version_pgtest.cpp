// Reading the schema's version from real databases.
#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "store/schema_version.hpp"
#include "support/database.hpp"

namespace schema_version_pgtest {

using outbox::store::Database;
using outbox::store::schema_version;
using outbox::store::Use;
using outbox::test::Schema;
using outbox::test::TestDatabase;

}  // namespace schema_version_pgtest

BOOST_AUTO_TEST_SUITE(schema_version_pgtest)

BOOST_AUTO_TEST_CASE(a_database_without_schema_has_no_version) {
  TestDatabase test{Schema::empty};
  Database database{test.options(), "test", Use::people};
  BOOST_CHECK(!schema_version(database).has_value());
  test.exec("CREATE SCHEMA outbox");
  BOOST_CHECK(!schema_version(database).has_value());
}

BOOST_AUTO_TEST_CASE(the_newest_row_and_the_highest_floor_count) {
  TestDatabase test;
  Database database{test.options(), "test", Use::people};
  BOOST_TEST(schema_version(database)->version == outbox::store::schema_built_for());
  BOOST_TEST(schema_version(database)->min_reader == 4);
  test.exec(
      "INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (98, 'a', 97), (99, "
      "'b', 3)");
  BOOST_TEST(schema_version(database)->version == 99);
  BOOST_TEST(schema_version(database)->min_reader == 97);
}

BOOST_AUTO_TEST_CASE(a_running_migration_does_not_block_it) {
  TestDatabase test;
  Database database{test.options(), "test", Use::people};
  pqxx::connection migrator{test.url()};
  pqxx::work tx{migrator};
  tx.exec("LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE");
  tx.exec("INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (99, 'b', 99)");
  BOOST_TEST(schema_version(database)->version == outbox::store::schema_built_for());
}

BOOST_AUTO_TEST_SUITE_END()
