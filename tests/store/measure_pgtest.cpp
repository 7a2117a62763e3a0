// What is measured of a migration: locks, rewrites and scans of relations that were there before
// it.
#include <boost/test/unit_test.hpp>

#include "pg/session.hpp"
#include "store/measure.hpp"
#include "store/scratch.hpp"
#include "support/database.hpp"

namespace measure_pgtest {

using outbox::store::MeasuredRun;
using outbox::test::TestDatabase;
using Strings = std::vector<std::string>;
using Locks = std::map<std::string, std::string>;

/// 20,000 live jobs: enough for a scan to count.
struct Filled {
  Filled() { outbox::store::fill_with_jobs(database, 20'000); }
  MeasuredRun run(const std::string& sql) {
    return outbox::store::measured_run(database.session(), sql, true, false);
  }
  TestDatabase test;
  outbox::store::Database database{
      outbox::core::DatabaseOptions{.url = outbox::test::test_url(test.name())}, "rehearse",
      outbox::store::Use::people};
};

}  // namespace measure_pgtest

BOOST_FIXTURE_TEST_SUITE(measure_pgtest, measure_pgtest::Filled)

BOOST_AUTO_TEST_CASE(a_constant_default_rewrites_nothing) {
  const auto run = this->run("ALTER TABLE outbox.jobs ADD COLUMN a int NOT NULL DEFAULT 5");
  BOOST_CHECK((run.locks == measure_pgtest::Locks{{"outbox.jobs", "ACCESS EXCLUSIVE"}}));
  BOOST_TEST(run.rewrites.empty());
  BOOST_TEST(run.scans.empty());
  BOOST_TEST(run.wal_bytes > 0);
}

BOOST_AUTO_TEST_CASE(a_volatile_default_rewrites_and_reads_all) {
  const auto run =
      this->run("ALTER TABLE outbox.jobs ADD COLUMN a timestamptz DEFAULT clock_timestamp()");
  BOOST_TEST(run.rewrites == measure_pgtest::Strings{"outbox.jobs"});
  BOOST_TEST(run.scans == measure_pgtest::Strings{"outbox.jobs"});
}

BOOST_AUTO_TEST_CASE(an_index_reads_all_and_blocks_writers) {
  const auto run = this->run("CREATE INDEX extra ON outbox.jobs (created_at)");
  BOOST_CHECK((run.locks == measure_pgtest::Locks{{"outbox.jobs", "SHARE"}}));
  BOOST_TEST(run.scans == measure_pgtest::Strings{"outbox.jobs"});
}

BOOST_AUTO_TEST_CASE(partitions_count_as_their_parent_and_new_tables_not_at_all) {
  const auto run = this->run(
      "TRUNCATE outbox.finished_jobs_07; CREATE TABLE outbox.extra (); ALTER TABLE outbox.extra "
      "ADD "
      "COLUMN a int; SELECT count(*) FROM outbox.queues");
  BOOST_CHECK((run.locks == measure_pgtest::Locks{{"outbox.finished_jobs", "ACCESS EXCLUSIVE"}}));
  BOOST_TEST(run.rewrites == measure_pgtest::Strings{"outbox.finished_jobs"});
  BOOST_TEST(run.scans.empty());
}

BOOST_AUTO_TEST_CASE(looking_whether_there_are_rows_is_no_scan) {
  const auto run = this->run("SELECT count(*) FROM (SELECT FROM outbox.jobs LIMIT 1000) q");
  BOOST_TEST(run.scans.empty());
  BOOST_TEST(run.locks.empty());
  BOOST_TEST(outbox::store::large_tables(database.session()) ==
             measure_pgtest::Strings{"outbox.jobs"});
}

BOOST_AUTO_TEST_CASE(tables_that_go_with_their_rows_are_named_and_stay) {
  test.exec(
      "CREATE TABLE outbox.full (a int); INSERT INTO outbox.full VALUES (1); CREATE TABLE "
      "outbox.bare (a int)");
  BOOST_TEST(outbox::store::tables_lost_by(database, "DROP TABLE outbox.full, outbox.bare") ==
             measure_pgtest::Strings{"full"});
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.full") == 1);
}

BOOST_AUTO_TEST_CASE(the_fingerprint_of_live_jobs_sees_every_change) {
  const auto before = outbox::store::live_jobs_fingerprint(database);
  test.exec(
      "UPDATE outbox.jobs SET claim_token = claim_token + 1 WHERE id = 7");  // no data of the job
  BOOST_TEST(outbox::store::live_jobs_fingerprint(database) == before);
  test.exec("UPDATE outbox.jobs SET payload = '{}' WHERE id = 7");
  BOOST_TEST(outbox::store::live_jobs_fingerprint(database) != before);
}

BOOST_AUTO_TEST_SUITE_END()
