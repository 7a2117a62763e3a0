// The ends of a claimed job that did not work: what is written, and that a claim that is not ours
// any more writes nothing.
#include <boost/test/unit_test.hpp>

#include "store/claim.hpp"
#include "store/finish.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace finish_pgtest {

using namespace outbox;
using core::milliseconds;
using store::Claimed;
using test::TestDatabase;

constexpr int kProcessor = 7;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::handlers};
  store::Database claims{db.options(), "test", store::Use::claims};

  std::vector<Claimed> claimed_jobs(int count) {
    db.exec(
        "INSERT INTO outbox.jobs (kind, payload, headers, unique_key, priority, expires_at) "
        "SELECT 'act', '{\"n\": 1}', '{\"h\": 2}', 'u' || i, 2, '2100-01-01' FROM "
        "generate_series(1, " +
        std::to_string(count) + ") i");
    store::Cursor cursor;
    return store::claim(
        claims, {.processor = kProcessor, .queue = "default", .kinds = {"act"}, .most = count},
        store::From::start, cursor);
  }
  Claimed claimed_job() { return claimed_jobs(1).at(0); }
  Claimed claimed_suspect() {
    db.exec(
        "INSERT INTO outbox.jobs (kind, suspect, crashes, attempt, claim_token) VALUES ('act', "
        "true, 1, 1, 2)");
    return store::claim_suspect(
               claims, {.processor = kProcessor, .queue = "default", .kinds = {"act"}, .most = 1})
        .value();
  }
  bool settle(const Claimed& claimed, const core::Verdict& verdict,
              const store::Failure& failure = {}) {
    return store::settle(database, kProcessor, claimed, verdict, failure);
  }
  /// attempt, suspect, claimed or not, last_error of the one job
  std::string row() {
    return db.value(
        "SELECT concat_ws(' ', attempt, suspect, claimed_by IS NOT NULL, claim_token, last_error) "
        "FROM outbox.jobs");
  }
  std::int64_t delay_ms() {
    return db.number(
        "SELECT (extract(epoch FROM run_at - clock_timestamp()) * 1000)::bigint FROM outbox.jobs");
  }
};

}  // namespace finish_pgtest

BOOST_FIXTURE_TEST_SUITE(finish_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_retry_waits_keeps_the_attempt_and_records_the_failure) {
  const auto job = claimed_job();
  BOOST_TEST(settle(job, core::WriteRetry{milliseconds{60'000}, "no paper"}, {"timeout", "57014"}));
  BOOST_TEST(row() == "1 f f 1 no paper");
  BOOST_TEST(delay_ms() > 50'000);
  BOOST_TEST(delay_ms() <= 60'000);
  BOOST_TEST(db.value("SELECT concat_ws(' ', job_id, processor_id, attempt, reason, sqlstate, "
                      "error) FROM outbox.job_failures") == "1 7 1 timeout 57014 no paper");
  BOOST_TEST(!store::still_claimed(claims, kProcessor, job));
  BOOST_TEST(!settle(job, core::WriteRetry{milliseconds{0}, "again"}));  // the claim is over
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures") == 1);
}

BOOST_AUTO_TEST_CASE(a_failure_that_the_database_did_not_raise_has_no_sqlstate) {
  BOOST_TEST(settle(claimed_job(), core::WriteRetry{milliseconds{0}, ""}));
  BOOST_TEST(
      db.value(
          "SELECT concat_ws(' ', reason, sqlstate IS NULL, error = '') FROM outbox.job_failures") ==
      "error t t");
}

BOOST_AUTO_TEST_CASE(a_snooze_refunds_the_attempt_and_is_no_failure) {
  BOOST_TEST(settle(claimed_job(), core::WriteSnooze{milliseconds{60'000}}));
  BOOST_TEST(row() == "0 f f 1");
  BOOST_TEST(delay_ms() > 50'000);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures") == 0);
}

BOOST_AUTO_TEST_CASE(a_dead_job_takes_everything_along) {
  const auto job = claimed_job();
  BOOST_TEST(settle(job, core::WriteDead{"attempts", "gave up"}, {"error", "22012"}));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, processor_id, priority, attempt, max_attempts, "
                      "crashes, reason, queue, kind, unique_key,"
                      " payload, headers, last_error, extract(year FROM expires_at), created_at <= "
                      "died_at) FROM outbox.dead_jobs") ==
             R"(1 7 2 1 20 0 attempts default act u1 {"n": 1} {"h": 2} gave up 2100 t)");
  BOOST_TEST(db.value("SELECT concat_ws(' ', job_id, attempt, reason, sqlstate, error) FROM "
                      "outbox.job_failures") == "1 1 error 22012 gave up");
  BOOST_TEST(!settle(job, core::WriteDead{"attempts", "twice"}));
}

BOOST_AUTO_TEST_CASE(every_reason_of_the_program_is_one_the_schema_knows) {
  for (const auto& [reason, failure] : {std::pair{"attempts", "error"},
                                        {"attempts", "timeout"},
                                        {"discarded", "discarded"},
                                        {"expired", "expired"}}) {
    BOOST_TEST_CONTEXT(reason << ", " << failure) {
      BOOST_TEST(settle(claimed_job(), core::WriteDead{reason, "x"}, {failure, {}}));
      BOOST_TEST(db.value("SELECT reason FROM outbox.dead_jobs ORDER BY id DESC") == reason);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_dead_letter_that_is_there_already_is_brought_up_to_date) {
  const auto job = claimed_job();
  db.exec(
      R"(INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload)
             VALUES (1, now(), now(), '2020-01-01', 1, 1, 20, 0, 'crashes', 'default', 'act', '{}'))");
  BOOST_TEST(settle(job, core::WriteDead{"discarded", "again"}, {"discarded", {}}));
  BOOST_TEST(db.value("SELECT concat_ws(' ', reason, last_error, died_at > '2020-01-02') FROM "
                      "outbox.dead_jobs") == "discarded again t");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
}

BOOST_AUTO_TEST_CASE(done_is_not_for_settle) {
  const auto job = claimed_job();
  BOOST_TEST(!settle(job, core::WriteDone{}));
  BOOST_TEST(store::still_claimed(claims, kProcessor, job));
}

BOOST_AUTO_TEST_CASE(a_claim_that_is_not_ours_any_more_writes_nothing) {
  const auto job = claimed_job();
  const core::Verdict verdicts[]{core::WriteRetry{milliseconds{0}, "x"},
                                 core::WriteSnooze{milliseconds{0}},
                                 core::WriteDead{"attempts", "x"}};
  auto older = job;
  --older.claim_token;
  for (const auto& verdict : verdicts) {
    BOOST_TEST(!settle(older, verdict));
    BOOST_TEST(!store::settle(database, kProcessor + 1, job, verdict, {}));
  }
  BOOST_TEST(row() == "1 f t 1");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures") == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.dead_jobs") == 0);
  BOOST_TEST(store::release(claims, kProcessor, {older}) == 0);
  BOOST_TEST(store::release(claims, kProcessor + 1, {job}) == 0);
  BOOST_TEST(!store::still_claimed(claims, kProcessor, older));
  BOOST_TEST(!store::still_claimed(claims, kProcessor + 1, job));
  BOOST_TEST(store::still_claimed(claims, kProcessor, job));
}

BOOST_AUTO_TEST_CASE(any_bytes_can_be_an_error_text) {
  const std::string bad = std::string{"nul \0 and", 9} + " \xff\xfe and \xc3";
  BOOST_TEST(settle(claimed_job(), core::WriteRetry{milliseconds{0}, bad}));
  BOOST_TEST(db.value("SELECT error FROM outbox.job_failures") ==
             "nul \uFFFD and \uFFFD\uFFFD and \uFFFD");
  db.exec("DELETE FROM outbox.jobs; DELETE FROM outbox.job_failures");
  std::string large;
  for (int i = 0; i < 500'000; ++i) large += "ä";
  BOOST_TEST(settle(claimed_job(), core::WriteDead{"attempts", large + bad}));
  BOOST_TEST(db.number("SELECT octet_length(error) FROM outbox.job_failures") <= 8'192);
  BOOST_TEST(db.number("SELECT octet_length(error) FROM outbox.job_failures") > 8'000);
  BOOST_TEST(db.number("SELECT octet_length(last_error) FROM outbox.dead_jobs") <= 1'024);
}

// A release whose reply was lost, and the job was claimed again: both claims are owed.
BOOST_AUTO_TEST_CASE(of_two_claims_of_one_job_the_later_one_is_released) {
  const auto job = claimed_job();
  auto older = job;
  --older.claim_token;
  BOOST_TEST(store::release(claims, kProcessor, {older, job}) == 1);
  BOOST_TEST(!store::still_claimed(claims, kProcessor, job));
}

BOOST_AUTO_TEST_CASE(a_release_refunds_the_attempt_and_ends_the_claim) {
  const auto jobs = claimed_jobs(3);
  BOOST_TEST(store::release(claims, kProcessor, {}) == 0);
  BOOST_TEST(store::release(claims, kProcessor, {jobs[0], jobs[2]}) == 2);
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', id, attempt, claim_token, claimed_by, "
                      "claimed_at IS NULL), ', ' ORDER BY id) "
                      "FROM outbox.jobs") == "1 0 2 t, 2 1 1 7 f, 3 0 2 t");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures") == 0);
  BOOST_TEST(!store::still_claimed(claims, kProcessor, jobs[0]));
  BOOST_TEST(store::release(claims, kProcessor, jobs) == 1);
}

BOOST_AUTO_TEST_CASE(
    a_released_suspect_stays_one_and_keeps_the_attempt_that_its_claim_did_not_charge) {
  const auto job = claimed_suspect();
  BOOST_TEST(store::release(claims, kProcessor, {job}) == 1);
  BOOST_TEST(row() == "1 t f 4");
}

BOOST_AUTO_TEST_CASE(an_orderly_end_clears_the_suspicion_but_not_the_crashes) {
  BOOST_TEST(settle(claimed_suspect(), core::WriteRetry{milliseconds{0}, "x"}));
  BOOST_TEST(row() == "1 f f 3 x");
  db.exec("DELETE FROM outbox.jobs");
  BOOST_TEST(settle(claimed_suspect(), core::WriteSnooze{milliseconds{0}}));
  BOOST_TEST(row() == "0 f f 3");
  BOOST_TEST(db.number("SELECT crashes FROM outbox.jobs") == 1);
}

BOOST_AUTO_TEST_CASE(a_row_that_an_operator_has_updated_since_the_claim_is_settled_all_the_same) {
  const auto job = claimed_job();
  db.exec("UPDATE outbox.jobs SET priority = 3");
  BOOST_TEST(settle(job, core::WriteRetry{milliseconds{0}, "x"}));
  db.exec("DELETE FROM outbox.jobs");
  const auto again = claimed_job();
  db.exec("UPDATE outbox.jobs SET priority = 0");
  BOOST_TEST(store::release(claims, kProcessor, {again}) == 1);
}

BOOST_AUTO_TEST_CASE(a_row_that_somebody_has_locked_is_not_waited_for_for_ever) {
  const auto job = claimed_job();
  auto options = db.options();
  options.statement_timeout = milliseconds{100};
  store::Database hasty{options, "test", store::Use::handlers};
  test::Transaction operating{db, "UPDATE outbox.jobs SET priority = 0"};
  BOOST_CHECK_EXCEPTION(static_cast<void>(store::settle(hasty, kProcessor, job,
                                                        core::WriteSnooze{milliseconds{0}}, {})),
                        core::DbError,
                        [](const core::DbError& e) { return e.fault() == core::Fault::canceled; });
  operating.commit();
  BOOST_TEST(settle(job, core::WriteSnooze{milliseconds{0}}));
}

BOOST_AUTO_TEST_CASE(a_row_that_is_updated_while_a_settle_waits_for_it_is_settled) {
  const auto job = claimed_job();
  test::Transaction operating{db, "UPDATE outbox.jobs SET priority = 0"};
  auto settling = test::in_background(db, store::Use::handlers, [&](store::Database& mine) {
    return store::settle(mine, kProcessor, job, core::WriteRetry{milliseconds{0}, "x"}, {});
  });
  BOOST_TEST(test::eventually_blocked(db, 1));
  operating.commit();
  BOOST_TEST(settling.get());
  BOOST_TEST(db.value("SELECT concat_ws(' ', priority, claimed_by IS NULL) FROM outbox.jobs") ==
             "0 t");
}

BOOST_AUTO_TEST_SUITE_END()
