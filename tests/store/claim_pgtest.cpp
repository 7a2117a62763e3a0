// The claim: what it takes, in which order, and what it leaves to others.
#include <algorithm>
#include <atomic>
#include <set>

#include <boost/test/unit_test.hpp>

#include "pg/session.hpp"
#include "store/claim.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"
#include "support/eventually.hpp"

namespace claim_pgtest {

using namespace outbox;
using store::Claimed;
using store::From;
using test::TestDatabase;

constexpr int kProcessor = 7;

store::ClaimRequest request(int most, const std::string& queue = "default") {
  return {.processor = kProcessor, .queue = queue, .kinds = {"mail", "report"}, .most = most};
}

std::vector<std::int64_t> ids(const std::vector<Claimed>& jobs) {
  std::vector<std::int64_t> out;
  for (const auto& claimed : jobs) out.push_back(claimed.job.id);
  return out;
}

using Ids = std::vector<std::int64_t>;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::claims};
  store::Cursor cursor;

  Ids claim(int most, From from = From::start) {
    return ids(store::claim(database, request(most), from, cursor));
  }
  void jobs(int count) {
    db.exec("INSERT INTO outbox.jobs (kind) SELECT 'mail' FROM generate_series(1, " +
            std::to_string(count) + ")");
  }
  /// A job whose processor died: in the queue again, to be run alone.
  void suspect(const std::string& columns = "", const std::string& values = "") {
    db.exec("INSERT INTO outbox.jobs (kind, suspect, crashes, attempt, claim_token" + columns +
            ") VALUES ('mail', true, 1, 1, 2" + values + ")");
  }
};

}  // namespace claim_pgtest

BOOST_FIXTURE_TEST_SUITE(claim_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(it_takes_exactly_as_many_as_asked_for) {
  jobs(23);  // a table that was never analysed: see plans_pgtest
  for (int done = 0; done < 20; done += 5) BOOST_TEST(claim(5).size() == 5U);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by = 7") == 20);
  BOOST_TEST(claim(5).size() == 3U);
  BOOST_TEST(claim(5).empty());
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claim_token <> 1") == 0);
}

BOOST_AUTO_TEST_CASE(a_claim_is_written_into_the_row_and_brings_all_of_the_job_along) {
  db.exec(
      R"(INSERT INTO outbox.jobs (kind, payload, headers, unique_key, priority, run_at, attempt, max_attempts, claim_token)
             VALUES ('mail', '{"to": 1}', '{"trace": "x"}', 'u1', 2, clock_timestamp() - interval '2 s', 3, 9, 5),
                    ('report', '[]', NULL, NULL, 3, clock_timestamp(), 0, 20, 0))");
  const auto got = store::claim(database, request(5), From::start, cursor);
  BOOST_REQUIRE(got.size() == 2U);
  const auto& mail = got[0];
  BOOST_TEST(mail.job.id == 1);
  BOOST_TEST(mail.job.queue == "default");
  BOOST_TEST(mail.job.kind == "mail");
  BOOST_TEST(mail.job.payload == R"({"to": 1})");
  BOOST_TEST(mail.job.headers == R"({"trace": "x"})");
  BOOST_TEST(mail.job.unique_key == "u1");
  BOOST_TEST(mail.job.priority == 2);
  BOOST_TEST(mail.job.attempt == 4);
  BOOST_TEST(mail.job.max_attempts == 9);
  BOOST_TEST(mail.claim_token == 6);
  BOOST_TEST(mail.crashes == 0);
  BOOST_TEST(!mail.suspect);
  BOOST_TEST(!mail.expires_at_us.has_value());
  BOOST_TEST(mail.waited.count() >= 2'000'000);
  BOOST_TEST(mail.waited.count() < 60'000'000);
  BOOST_TEST(got[1].job.headers == "{}");
  BOOST_TEST(got[1].job.unique_key == "");
  BOOST_TEST(db.value("SELECT concat_ws(' ', claimed_by, claim_token, attempt, "
                      "clock_timestamp() - claimed_at < interval '1 min', ctid = '" +
                      mail.ctid + "') FROM outbox.jobs WHERE id = 1") == "7 6 4 t t");
}

BOOST_AUTO_TEST_CASE(it_goes_by_priority_then_run_at_then_id) {
  db.exec(R"(INSERT INTO outbox.jobs (kind, priority, run_at) VALUES
    ('mail', 3, now() - interval '9 min'), ('mail', 1, now() - interval '1 min'), ('mail', 1, now() - interval '2 min'),
    ('mail', 0, now() - interval '1 s'),   ('mail', 1, now() - interval '2 min'), ('mail', 2, now() - interval '8 min'))");
  BOOST_TEST(claim(3) == (Ids{4, 3, 5}), boost::test_tools::per_element());
  BOOST_TEST(claim(9) == (Ids{2, 6, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(jobs_of_the_future_of_other_queues_and_of_unknown_kinds_are_left) {
  db.exec(R"(INSERT INTO outbox.jobs (kind, queue, run_at) VALUES
    ('mail', 'default', clock_timestamp() + interval '1 h'), ('mail', 'other', clock_timestamp()),
    ('unknown', 'default', clock_timestamp()), ('report', 'default', clock_timestamp()))");
  BOOST_TEST(claim(9) == Ids{4}, boost::test_tools::per_element());
  BOOST_TEST(claim(9).empty());
  db.exec("UPDATE outbox.jobs SET run_at = clock_timestamp() WHERE id = 1");
  BOOST_TEST(claim(9) == Ids{1}, boost::test_tools::per_element());
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NULL") == 2);
}

BOOST_AUTO_TEST_CASE(a_paused_queue_gives_nothing_until_it_resumes) {
  jobs(2);
  suspect();
  db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  BOOST_TEST(claim(9).empty());
  BOOST_TEST(!store::suspect_waiting(database, request(1)));
  BOOST_TEST(!store::claim_suspect(database, request(1)).has_value());
  db.exec("UPDATE outbox.queues SET paused_at = NULL");
  BOOST_TEST(claim(9).size() == 2U);
  BOOST_TEST(store::claim_suspect(database, request(1)).has_value());
}

BOOST_AUTO_TEST_CASE(rows_that_somebody_has_locked_are_skipped_without_waiting) {
  jobs(4);
  test::Transaction other{db, "SELECT FROM outbox.jobs WHERE id IN (1, 3) FOR UPDATE"};
  BOOST_TEST(claim(9, From::cursor) == (Ids{2, 4}), boost::test_tools::per_element());
  other.rollback();
  BOOST_TEST(claim(9, From::cursor).empty());  // behind the cursor now
  BOOST_TEST(claim(9, From::start) == (Ids{1, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(claimers_share_the_jobs_and_none_gets_one_twice_whatever_an_operator_changes) {
  constexpr int kJobs = 1'500;
  jobs(kJobs);
  std::atomic<bool> claimed_all{false};
  auto operating = test::in_background(
      db, store::Use::people,
      [&](store::Database& mine) {
        // A row changed between a claim's snapshot and its lock is missed, never taken twice.
        while (!claimed_all) {
          mine.session().run_script(
              "UPDATE outbox.jobs SET priority = 1 - priority WHERE id % 3 = 0 AND claimed_by IS "
              "NULL");
        }
      },
      test::Login::superuser);
  const auto claim_all = [](store::Database& mine) {
    Ids got;
    store::Cursor place;
    for (int empty = 0; empty < 3;) {
      const auto some =
          ids(store::claim(mine, request(7), empty == 0 ? From::cursor : From::start, place));
      got.insert(got.end(), some.begin(), some.end());
      empty = some.empty() ? empty + 1 : 0;
    }
    return got;
  };
  std::vector<std::future<Ids>> claimers;
  for (int i = 0; i < 3; ++i)
    claimers.push_back(test::in_background(db, store::Use::claims, claim_all));
  Ids all;
  for (auto& claimer : claimers) {
    const auto some = claimer.get();
    all.insert(all.end(), some.begin(), some.end());
  }
  claimed_all = true;
  operating.get();
  const auto missed = claim_all(database);
  all.insert(all.end(), missed.begin(), missed.end());
  BOOST_TEST(all.size() == std::set<std::int64_t>(all.begin(), all.end()).size());
  BOOST_TEST(all.size() == static_cast<std::size_t>(kJobs));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claim_token <> 1") == 0);
}

BOOST_AUTO_TEST_CASE(the_cursor_leaves_what_lies_behind_it_to_the_sweep) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, run_at) SELECT 'mail', now() - i * interval '1 min' "
      "FROM generate_series(1, 3) i");
  BOOST_TEST(claim(2, From::cursor) == (Ids{3, 2}), boost::test_tools::per_element());
  // A transaction that was open for long: its run_at is from before the cursor.
  db.exec("INSERT INTO outbox.jobs (kind, run_at) VALUES ('mail', now() - interval '1 h')");
  BOOST_TEST(claim(9, From::cursor) == Ids{1}, boost::test_tools::per_element());
  BOOST_TEST(claim(9, From::cursor).empty());
  BOOST_TEST(claim(9, From::start) == Ids{4}, boost::test_tools::per_element());
  // The sweep did not take the cursor back.
  db.exec("INSERT INTO outbox.jobs (kind, run_at) VALUES ('mail', now() - interval '30 min')");
  BOOST_TEST(claim(9, From::cursor).empty());
  BOOST_TEST(claim(9, From::start) == Ids{5}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_priority_has_a_cursor_of_its_own) {
  jobs(1);
  BOOST_TEST(claim(9, From::cursor).size() == 1U);
  db.exec(
      "INSERT INTO outbox.jobs (kind, priority, run_at) VALUES ('mail', 0, now() - interval '1 "
      "h'), "
      "('mail', 2, now() - interval '1 h')");
  BOOST_TEST(claim(9, From::cursor) == (Ids{2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_cursor_is_exact_to_the_microsecond_and_the_id) {
  // 150 moments with odd microseconds, two jobs each: a cursor rounded down would find the first
  // one of the pair again (it does not: claimed), one rounded up would lose the second.
  db.exec(R"(INSERT INTO outbox.jobs (kind, run_at)
    SELECT 'mail', '2026-03-01 00:00:00.000001+00'::timestamptz - interval '1 year' + i * interval '7919 s 13.371337 ms'
      FROM generate_series(1, 150) i, generate_series(1, 2))");
  std::size_t found = 0;
  for (;;) {
    const auto some = claim(1, From::cursor);
    if (some.empty()) break;
    found += some.size();
  }
  BOOST_TEST(found == 300U);
}

BOOST_AUTO_TEST_CASE(a_claim_knows_when_its_job_expires) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, expires_at) VALUES ('mail', 'epoch'::timestamptz + "
      "'1234567.890123 s'), "
      "('mail', 'infinity')");
  const auto got = store::claim(database, request(9), From::start, cursor);
  BOOST_REQUIRE(got.size() == 2U);
  BOOST_TEST((got[0].expires_at_us == 1'234'567'890'123));
  BOOST_TEST(!got[1].expires_at_us.has_value());
}

BOOST_AUTO_TEST_CASE(a_job_whose_attempts_are_used_up_does_not_poison_the_batch) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, attempt, max_attempts) VALUES ('mail', 20, 20), "
      "('mail', 1000, 1000), ('mail', 0, 20)");
  const auto got = store::claim(database, request(9), From::start, cursor);
  BOOST_REQUIRE(got.size() == 3U);
  BOOST_TEST(got[0].job.attempt == 20);
  BOOST_TEST(got[1].job.attempt == 1000);
  BOOST_TEST(got[2].job.attempt == 1);
}

BOOST_AUTO_TEST_CASE(claims_are_heap_only_updates) {
  constexpr int kJobs = 2'000;
  TestDatabase fresh;  // counters and pages of its own
  store::Database mine{fresh.options(), "test", store::Use::claims};
  fresh.exec(R"(INSERT INTO outbox.jobs (kind, unique_key, payload, headers)
    SELECT 'mail', 'key ' || i, jsonb_build_object('to', i, 'text', repeat('x', i % 150)), '{"trace": "abc"}'
      FROM generate_series(1, 2000) i)");
  for (int claimed = 0; claimed < kJobs; claimed += 100)
    BOOST_REQUIRE(store::claim(mine, request(100), From::cursor, cursor).size() == 100U);
  // PostgreSQL 14 has no way to have the counters written at once; there they come with a later
  // transaction.
  const bool flush = fresh.number(
                         "SELECT count(*) FROM pg_proc WHERE proname = "
                         "'pg_stat_force_next_flush'") > 0;
  BOOST_TEST(test::eventually(test::kPatience, [&] {
    if (flush) mine.session().run_script("SELECT pg_stat_force_next_flush()");
    return store::claim(mine, request(1), From::start, cursor).empty() &&
           fresh.number(
               "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = "
               "'outbox.jobs'::regclass") >= kJobs;
  }));
  BOOST_TEST(fresh.number("SELECT n_tup_hot_upd * 100 / n_tup_upd FROM pg_stat_user_tables WHERE "
                          "relid = 'outbox.jobs'::regclass") >= 99);
}

BOOST_AUTO_TEST_CASE(a_suspect_is_taken_only_alone_and_its_attempt_is_not_charged_again) {
  jobs(1);
  suspect();
  suspect(", priority", ", 0");
  BOOST_TEST(claim(9) == Ids{1}, boost::test_tools::per_element());
  BOOST_TEST(store::suspect_waiting(database, request(9)));
  const auto first = store::claim_suspect(database, request(9));
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(first->job.id == 2);
  BOOST_TEST(first->suspect);
  BOOST_TEST(first->job.attempt == 1);
  BOOST_TEST(first->crashes == 1);
  BOOST_TEST(first->claim_token == 3);
  BOOST_TEST(db.value("SELECT concat_ws(' ', claimed_by, claim_token, attempt, suspect) FROM "
                      "outbox.jobs WHERE id = 2") == "7 3 1 t");
  BOOST_TEST(store::claim_suspect(database, request(9))->job.id == 3);
  BOOST_TEST(!store::claim_suspect(database, request(9)).has_value());
  BOOST_TEST(!store::suspect_waiting(database, request(9)));
}

BOOST_AUTO_TEST_CASE(a_suspect_of_the_future_of_another_queue_or_an_unknown_kind_is_left) {
  suspect(", run_at", ", clock_timestamp() + interval '1 h'");
  suspect(", queue", ", 'other'");
  db.exec("INSERT INTO outbox.jobs (kind, suspect, crashes) VALUES ('unknown', true, 1)");
  BOOST_TEST(!store::suspect_waiting(database, request(1)));
  BOOST_TEST(!store::claim_suspect(database, request(1)).has_value());
  BOOST_TEST(store::suspect_waiting(database, request(1, "other")));
  BOOST_TEST(store::claim_suspect(database, request(1, "other"))->job.id == 2);
}

BOOST_AUTO_TEST_CASE(what_came_behind_the_cursor_in_numbers_takes_it_back) {
  jobs(10);
  cursor.skip_to(4'000'000'000'000'000);
  BOOST_TEST(claim(3, From::cursor).empty());
  BOOST_TEST(claim(3).size() == 3U);
  BOOST_TEST(claim(3, From::cursor).size() == 3U);
  cursor.skip_to(4'000'000'000'000'000);
  BOOST_TEST(claim(5).size() == 4U);  // all there were
  jobs(1);
  BOOST_TEST(claim(3, From::cursor).empty());
}

BOOST_AUTO_TEST_CASE(an_empty_look_may_be_passed_but_not_what_comes_after_it) {
  db.exec("INSERT INTO outbox.jobs (kind, run_at) VALUES ('mail', now() - interval '3 s')");
  store::pass_empty(database, core::microseconds{0}, cursor);
  BOOST_TEST(claim(3, From::cursor).empty());
  jobs(2);
  BOOST_TEST(claim(3, From::cursor).size() == 2U);
  BOOST_TEST(claim(3).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
