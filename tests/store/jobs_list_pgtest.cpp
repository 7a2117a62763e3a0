// The job list: all tables, every state, filters, paging, bounded work.
#include <boost/test/unit_test.hpp>

#include "store/jobs_list.hpp"
#include "support/database.hpp"

namespace jobs_list_pgtest {

using namespace outbox;
using test::TestDatabase;

/// One job of each state; ids 1 to 8 in the order of kJobStates.
void one_of_each(TestDatabase& db) {
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after)
      VALUES ('alive', '1', 3, 1, '{}', '{}', true, '10s');
    INSERT INTO outbox.queues (name, paused_at) VALUES ('stopped', clock_timestamp());
    INSERT INTO outbox.jobs (kind) VALUES ('mail');
    INSERT INTO outbox.jobs (kind, run_at) VALUES ('mail', clock_timestamp() + interval '1 hour');
    INSERT INTO outbox.jobs (kind, run_at, attempt, last_error) VALUES ('bill', clock_timestamp() + interval '1 hour', 2, 'no');
    INSERT INTO outbox.jobs (kind, queue) VALUES ('mail', 'stopped');
    INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token) VALUES ('mail', 1, clock_timestamp(), 1);
    INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token) VALUES ('mail', 77, clock_timestamp(), 1);
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload, last_error)
      SELECT nextval('outbox.jobs_id_seq'), now(), now(), 'infinity', 1, 20, 20, 0, 'attempts', 'default', 'mail', '{}', 'gave up';
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, payload)
      SELECT outbox.day_slot(now()), 1, 1, 0, 1, nextval('outbox.jobs_id_seq'), now(), now(), now(), now(), 'default', 'mail', '{}')");
}

std::vector<std::int64_t> ids(const store::JobPage& page) {
  std::vector<std::int64_t> out;
  for (const auto& job : page.jobs) out.push_back(job.id);
  return out;
}

}  // namespace jobs_list_pgtest

BOOST_AUTO_TEST_SUITE(jobs_list_pgtest)

BOOST_AUTO_TEST_CASE(every_state_is_listed_newest_first_in_one_word) {
  TestDatabase db;
  one_of_each(db);
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  const auto page = store::jobs_list(database, {});
  BOOST_REQUIRE_EQUAL(page.jobs.size(), 8U);
  BOOST_TEST(page.next == 0);
  for (std::size_t i = 0; i < 8; ++i) {
    BOOST_TEST(page.jobs[i].id == static_cast<std::int64_t>(8 - i));
    BOOST_TEST(page.jobs[i].state == store::kJobStates[7 - i]);
  }
  BOOST_TEST(page.jobs[1].last_error == "attempts: gave up");
  BOOST_TEST(*page.jobs[1].max_attempts == 20);
  BOOST_TEST(!page.jobs[0].max_attempts);
  BOOST_TEST(!page.jobs[1].processor);
  BOOST_TEST(*page.jobs[3].processor == 1);
  BOOST_TEST((page.jobs[7].created_at <= page.now));
}

BOOST_AUTO_TEST_CASE(filters_and_together) {
  TestDatabase db;
  one_of_each(db);
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  const auto found = [&](const std::string& queue, const std::string& kind,
                         const std::string& state) {
    return ids(store::jobs_list(database, {.queue = queue, .kind = kind, .state = state}));
  };
  using Ids = std::vector<std::int64_t>;
  for (std::size_t i = 0; i < 8; ++i) {
    BOOST_TEST((found("", "", std::string{store::kJobStates[i]}) ==
                Ids{static_cast<std::int64_t>(i + 1)}));
  }
  BOOST_TEST((found("stopped", "", "") == Ids{4}));
  BOOST_TEST((found("", "bill", "") == Ids{3}));
  BOOST_TEST((found("stopped", "bill", "").empty()));
}

BOOST_AUTO_TEST_CASE(pages_join_up_without_gap_or_double) {
  TestDatabase db;
  db.exec("INSERT INTO outbox.jobs (kind) SELECT 'k' || n % 3 FROM generate_series(1, 25000) n");
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  store::JobFilter filter{.kind = "k1", .limit = 1000};
  std::int64_t last = 1'000'000;
  std::size_t seen = 0;
  int pages = 0;
  do {
    const auto page = store::jobs_list(database, filter);
    for (const auto& job : page.jobs) {
      BOOST_REQUIRE_LT(job.id, last);
      BOOST_REQUIRE_EQUAL(job.kind, "k1");
      last = job.id;
    }
    seen += page.jobs.size();
    filter.after = page.next;
    BOOST_REQUIRE_LT(++pages, 20);
  } while (filter.after != 0);
  BOOST_TEST(seen == 8334U);
}

BOOST_AUTO_TEST_CASE(an_empty_database_and_a_hole_of_a_billion_ids_end_at_once) {
  TestDatabase db;
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  BOOST_TEST(store::jobs_list(database, {}).jobs.empty());
  db.exec(
      "INSERT INTO outbox.jobs (kind) VALUES ('old'); SELECT setval('outbox.jobs_id_seq', "
      "1000000000000);"
      "INSERT INTO outbox.jobs (kind) VALUES ('new')");
  const auto page = store::jobs_list(database, {});
  BOOST_TEST((ids(page) == std::vector<std::int64_t>{1000000000001, 1}));
  BOOST_TEST(page.next == 0);
}

BOOST_AUTO_TEST_CASE(a_crowd_behind_a_long_empty_stretch_is_found_all_the_same) {
  TestDatabase db;
  db.exec(
      "INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 13000);"
      "SELECT setval('outbox.jobs_id_seq', 1000000)");
  // All of the crowd takes longer than a wide window may, and the narrowest window has only 10000.
  db.exec(R"(CREATE FUNCTION slow(id bigint) RETURNS boolean LANGUAGE plpgsql AS
               $$ BEGIN IF id % 10 = 0 THEN PERFORM count(*) FROM generate_series(1, 15000); END IF; RETURN true; END $$;
             ALTER VIEW outbox.job_states RENAME TO job_states_fast;
             CREATE VIEW outbox.job_states AS SELECT * FROM outbox.job_states_fast WHERE slow(id))");
  auto options = db.options(test::Login::superuser);  // it has replaced the view
  options.statement_timeout = std::chrono::seconds{60};
  store::Database database{options, "test", store::Use::people};
  store::JobFilter filter{.limit = 1};
  std::vector<std::int64_t> found;
  do {
    const auto page = store::jobs_list(database, filter);
    found = ids(page);
    filter.after = page.next;
  } while (found.empty() && filter.after != 0);
  BOOST_TEST((found == std::vector<std::int64_t>{13'000}));
}

BOOST_AUTO_TEST_CASE(a_window_reads_no_whole_table) {
  TestDatabase db;
  db.exec("INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 50000)");
  db.exec("ANALYZE outbox.jobs");
  const std::string plan = db.value(
      "EXPLAIN (FORMAT JSON) SELECT * FROM outbox.job_states s WHERE s.id > 40000 AND s.id <= "
      "50000 "
      "ORDER BY s.id DESC LIMIT 50");
  BOOST_TEST(plan.find("jobs_pkey") != std::string::npos, plan);
}

BOOST_AUTO_TEST_SUITE_END()
