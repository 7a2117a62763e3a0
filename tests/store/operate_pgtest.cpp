// The operator functions as a DBA calls them: filters, previews, limits, and what the audit says.
#include <string>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "support/emptied.hpp"

namespace operate_pgtest {

using outbox::test::TestDatabase;

struct Fixture {
  TestDatabase& db = outbox::test::emptied_database();

  /// Ids 1 to 4: kinds a and b, queues q0 and q1, errors "timeout of n" and "no paper".
  void some_dead() {
    db.exec(R"(
      INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload, last_error)
      SELECT n, now(), now(), now() - n * interval '1 hour', 1, 20, 20, 0, 'attempts', 'q' || n % 2, CASE WHEN n < 3 THEN 'a' ELSE 'b' END,
             '{"secret": 1}', CASE WHEN n = 2 THEN 'no paper' ELSE 'Timeout of ' || n END FROM generate_series(1, 4) n)");
  }
  /// "id result, id result" of a call.
  std::string results(const std::string& call) {
    return db.value(
        "SELECT coalesce(string_agg(r.id || ' ' || r.result, ', ' ORDER BY r.id), '') FROM "
        "outbox." +
        call + " r");
  }
  std::string dead() {
    return db.value(
        "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM outbox.dead_jobs");
  }
  std::string refusal(const std::string& sql) {
    try {
      db.exec(sql);
    } catch (const pqxx::sql_error& e) {
      return e.sqlstate();
    }
    return {};
  }
};

}  // namespace operate_pgtest

BOOST_FIXTURE_TEST_SUITE(operate_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_preview_changes_nothing_and_says_what_would_happen) {
  some_dead();
  BOOST_TEST(results("retry_matching(kind => 'a')") == "1 requeued, 2 requeued");
  BOOST_TEST(db.value("SELECT message FROM outbox.retry_matching(error => 'no %')")
                 .starts_with("preview: a of queue q0 would be waiting again; died "));
  BOOST_TEST(dead() == "1 2 3 4");
  db.exec("INSERT INTO outbox.jobs (kind, queue) VALUES ('a', 'q0')");
  BOOST_TEST(results("discard_matching(kind => 'a')") == "1 discarded");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 1);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.audit") == 0);
}

BOOST_AUTO_TEST_CASE(filters_work_together_and_a_call_without_one_is_refused) {
  some_dead();
  BOOST_TEST(results("retry_matching(queue => 'q1', kind => 'b')") == "3 requeued");
  BOOST_TEST(results("retry_matching(error => 'timeout%')") ==
             "1 requeued, 3 requeued, 4 requeued");
  BOOST_TEST(results("retry_matching(since => now() - interval '150 min')") ==
             "1 requeued, 2 requeued");
  BOOST_TEST(results("retry_matching(until => now() - interval '150 min')") ==
             "3 requeued, 4 requeued");
  BOOST_TEST(results("retry_matching(until => now(), most => 2, after => 1)") ==
             "2 requeued, 3 requeued");
  BOOST_TEST(refusal("SELECT outbox.retry_matching()") == "22023");
  BOOST_TEST(refusal("SELECT outbox.discard_matching(preview => false)") == "22023");
  BOOST_TEST(refusal("SELECT outbox.retry_matching(kind => 'a', most => 10001)") == "22023");
  BOOST_TEST(refusal("SELECT outbox.retry_matching(kind => 'a', most => NULL)") == "22023");
}

BOOST_AUTO_TEST_CASE(matching_ones_are_retried_and_discarded_with_an_audit_row_each) {
  some_dead();
  db.exec("SET outbox.actor = 'anna'");
  BOOST_TEST(results("retry_matching(queue => 'q1', preview => false, why => 'printer is back')") ==
             "1 requeued, 3 requeued");
  BOOST_TEST(dead() == "2 4");
  BOOST_TEST(
      results("discard_matching(queue => 'q1', preview => false, most => 1, actor => 'bert')") ==
      "1 discarded");
  BOOST_TEST(db.value("SELECT last_error FROM outbox.dead_jobs WHERE id = 1") ==
             "discarded by postgres (bert); last error: Timeout of 1");
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', login, actor, action, why, queue, job_id, "
                      "kind, before ->> 'state', after ->> 'state'), ', ' "
                      "ORDER BY id) FROM outbox.audit") ==
             "postgres anna retry printer is back q1 1 a dead waiting, postgres anna retry printer "
             "is back q1 3 b dead waiting, postgres bert discard q1 1 a waiting dead");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.audit a WHERE a::text LIKE '%secret%'") == 0);
  db.exec("RESET outbox.actor");
}

BOOST_AUTO_TEST_CASE(many_ids_are_answered_one_by_one) {
  some_dead();
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after) VALUES ('alive', '1', 4, 1, '{}', '{}', true, '10s');
    SELECT setval('outbox.jobs_id_seq', 9);
    INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token) VALUES ('k', 1, now(), 1);
    INSERT INTO outbox.jobs (kind, run_at) VALUES ('k', now() + interval '1 h'))");
  BOOST_TEST(results("retry('{11, 10, 4, NULL, 4, 99}'::bigint[])") ==
             "4 requeued, 10 claimed, 11 hastened, 99 not_found");
  BOOST_TEST(db.value("SELECT string_agg(message, '; ' ORDER BY id) FROM outbox.discard('{10, "
                      "2}'::bigint[])") ==
             "refused: it is a dead letter already; refused: processor 1 (alive) runs it; look "
             "again when it has ended");
  BOOST_TEST(results("discard_matching(kind => 'k', preview => false)") == "11 discarded");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.audit") == 3);
}

BOOST_AUTO_TEST_CASE(what_handlers_call_is_not_taken_for_what_operators_call) {
  BOOST_TEST(refusal("SELECT outbox.discard('broken')") == "OB011");
  BOOST_TEST(refusal("SELECT outbox.discard('{\"why\": \"x\"}'::jsonb ->> 'why')") == "OB011");
}

BOOST_AUTO_TEST_CASE(pausing_twice_is_one_audit_row_and_keeps_the_first_moment) {
  BOOST_TEST(db.value("SELECT result || ' ' || known FROM outbox.pause('q', 'full')") ==
             "paused false");
  const auto since = db.value("SELECT paused_at FROM outbox.queues WHERE name = 'q'");
  BOOST_TEST(db.value("SELECT result || ' ' || known FROM outbox.pause('q')") == "was_paused true");
  BOOST_TEST(db.value("SELECT paused_at FROM outbox.queues WHERE name = 'q'") == since);
  BOOST_TEST(db.value("SELECT result FROM outbox.resume('q')") == "resumed");
  BOOST_TEST(db.value("SELECT result FROM outbox.resume('q')") == "not_paused");
  BOOST_TEST(db.value("SELECT result FROM outbox.resume('typo')") == "not_found");
  BOOST_TEST(
      db.value(
          "SELECT string_agg(concat_ws(' ', action, why), ', ' ORDER BY id) FROM outbox.audit") ==
      "pause full, resume");
  BOOST_TEST(db.value("SELECT (before ->> 'paused_at')::timestamptz FROM outbox.audit WHERE action "
                      "= 'resume'") == since);
}

BOOST_AUTO_TEST_SUITE_END()
