// What producers see: plain INSERT, outbox.enqueue and outbox.enqueue_many, alone and in races.
#include <future>
#include <string>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "support/database.hpp"
#include "support/eventually.hpp"

namespace enqueue_sql_pgtest {

using namespace std::chrono_literals;
using outbox::test::Login;
using outbox::test::TestDatabase;

struct Refusal {
  std::string sqlstate;
  std::string text;
};

Refusal refusal(TestDatabase& test, const std::string& sql) {
  try {
    test.exec(sql, Login::app);
  } catch (const pqxx::sql_error& e) {
    return {e.sqlstate(), e.what()};
  }
  return {"00000", "no error"};
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A producer with its own transaction, on the main thread.
class Producer {
 public:
  explicit Producer(const TestDatabase& test, Login login = Login::app)
      : connection_{test.url(login)}, tx_{connection_} {
    pid_ = tx_.exec("SELECT pg_backend_pid()")[0][0].as<int>();
  }
  /// "id created" of what the statement returns.
  std::string enqueues(const std::string& call) {
    const auto row =
        tx_.exec("SELECT concat_ws(' ', coalesce(id::text, 'NULL'), created) FROM " + call)[0];
    return row[0].c_str();
  }
  void runs(const std::string& sql) { tx_.exec(sql); }
  void commits() { tx_.commit(); }
  void rolls_back() { tx_.abort(); }
  [[nodiscard]] int pid() const { return pid_; }

 private:
  pqxx::connection connection_;
  pqxx::work tx_;
  int pid_{};
};

bool waits(TestDatabase& test, const Producer& who, const Producer& whom) {
  return outbox::test::eventually(10s, [&] {
    return test.value("SELECT " + std::to_string(whom.pid()) + " = ANY (pg_blocking_pids(" +
                      std::to_string(who.pid()) + "))") == "t";
  });
}

const std::string kUnique = "outbox.enqueue('mail', unique_key => 'u')";
const std::string kUniqueMany = R"(outbox.enqueue_many('[{"kind": "mail", "unique_key": "u"}]'))";

}  // namespace enqueue_sql_pgtest

BOOST_AUTO_TEST_SUITE(enqueue_sql_pgtest)

BOOST_AUTO_TEST_CASE(insert_of_kind_and_payload_is_enough) {
  TestDatabase test;
  test.exec(R"(INSERT INTO outbox.jobs (kind, payload) VALUES ('mail', '{"to": 1}'))", Login::app);
  BOOST_TEST(test.value("SELECT concat_ws(' ', queue, priority, attempt, max_attempts, crashes, "
                        "claim_token, suspect, payload) FROM outbox.jobs") ==
             R"(default 1 0 20 0 0 f {"to": 1})");
  BOOST_TEST(
      test.value(
          "SELECT run_at <= clock_timestamp() AND run_at > clock_timestamp() - interval '1 min' "
          "AND claimed_by IS NULL "
          "AND unique_key IS NULL AND expires_at IS NULL AND headers IS NULL FROM outbox.jobs") ==
      "t");
}

BOOST_AUTO_TEST_CASE(rows_of_one_statement_get_their_own_run_at) {
  TestDatabase test;
  test.exec("INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 1000)", Login::app);
  BOOST_TEST(test.number("SELECT count(DISTINCT run_at) FROM outbox.jobs") > 100);
}

BOOST_AUTO_TEST_CASE(enqueue_stores_what_it_is_given) {
  TestDatabase test;
  BOOST_TEST(
      test.value(
          R"(SELECT concat_ws(' ', id, created) FROM outbox.enqueue('mail', '{"to": 1}', queue => 'q', priority => 2,
    run_at => '2030-01-02 03:04:05Z', max_attempts => 7, unique_key => 'u', expires_at => '2031-01-01Z', headers => '{"trace": "t"}'))",
          Login::app) == "1 t");
  BOOST_TEST(test.value("SELECT concat_ws(' ', kind, payload, queue, priority, max_attempts, "
                        "unique_key, headers) FROM outbox.jobs") ==
             R"(mail {"to": 1} q 2 7 u {"trace": "t"})");
  BOOST_TEST(test.value("SELECT run_at = '2030-01-02 03:04:05Z' AND expires_at = '2031-01-01Z' "
                        "FROM outbox.jobs") == "t");
}

BOOST_AUTO_TEST_CASE(defaults_also_stand_for_null) {
  TestDatabase test;
  test.exec("SELECT outbox.enqueue('a')", Login::app);
  test.exec("SELECT outbox.enqueue('b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            Login::app);
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs WHERE queue = 'default' AND priority = "
                         "1 AND max_attempts = 20 "
                         "AND payload = '{}' AND run_at BETWEEN clock_timestamp() - interval '1 "
                         "min' AND clock_timestamp()") == 2);
}

BOOST_AUTO_TEST_CASE(delay_counts_from_now) {
  TestDatabase test;
  test.exec("SELECT outbox.enqueue('a', delay => '1 hour')", Login::app);
  BOOST_TEST(
      test.value("SELECT run_at - created_at BETWEEN '59 min' AND '1 hour' FROM outbox.jobs") ==
      "t");
}

BOOST_AUTO_TEST_CASE(a_job_exists_only_if_its_transaction_commits) {
  TestDatabase test;
  Producer producer{test};
  producer.enqueues("outbox.enqueue('a')");
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 0);
  producer.rolls_back();
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 0);
}

BOOST_AUTO_TEST_CASE(unique_key_finds_the_live_job_of_the_same_kind) {
  TestDatabase test;
  const auto enqueue = [&](const std::string& kind) {
    return test.value(
        "SELECT concat_ws(' ', id, created) FROM outbox.enqueue('" + kind + "', unique_key => 'u')",
        Login::app);
  };
  const auto first = enqueue("mail");
  BOOST_TEST(says(first, " t"));
  BOOST_TEST(enqueue("mail") == first.substr(0, first.find(' ')) + " f");
  BOOST_TEST(says(enqueue("sms"), " t"));
  test.exec("DELETE FROM outbox.jobs WHERE kind = 'mail'");  // finished
  BOOST_TEST(says(enqueue("mail"), " t"));
}

BOOST_AUTO_TEST_CASE(of_two_producers_with_one_unique_key_the_second_gets_the_firsts_job) {
  TestDatabase test;
  Producer a{test};
  Producer b{test};
  const auto mine = a.enqueues(kUnique);
  auto theirs = std::async(std::launch::async, [&] { return b.enqueues(kUnique); });
  BOOST_TEST(waits(test, b, a));
  a.commits();
  BOOST_TEST(theirs.get() == mine.substr(0, mine.find(' ')) + " f");
  b.commits();
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 1);
}

BOOST_AUTO_TEST_CASE(when_the_first_rolls_back_the_second_makes_the_job) {
  TestDatabase test;
  Producer a{test};
  Producer b{test};
  a.enqueues(kUnique);
  auto theirs = std::async(std::launch::async, [&] { return b.enqueues(kUnique); });
  BOOST_TEST(waits(test, b, a));
  a.rolls_back();
  BOOST_TEST(says(theirs.get(), " t"));
  b.commits();
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 1);
}

// The job is finished (deleted) between the second's INSERT and its look at the live job.
BOOST_AUTO_TEST_CASE(a_live_job_that_finishes_meanwhile_is_replaced) {
  TestDatabase test;
  test.exec("SELECT * FROM " + kUnique, Login::app);
  Producer processor{test, Login::worker};
  Producer producer{test};
  processor.runs("DELETE FROM outbox.jobs");
  auto outcome = std::async(std::launch::async, [&] { return producer.enqueues(kUnique); });
  BOOST_TEST(waits(test, producer, processor));
  processor.commits();
  BOOST_TEST(says(outcome.get(), " t"));
}

BOOST_AUTO_TEST_CASE(in_repeatable_read_an_unseen_twin_is_a_serialization_failure) {
  TestDatabase test;
  Producer producer{test};
  producer.runs("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
  pqxx::connection connection{test.url(Login::app)};
  pqxx::nontransaction tx{connection};
  tx.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  tx.exec("SELECT 1");
  producer.enqueues(kUnique);
  producer.commits();
  BOOST_CHECK_THROW(tx.exec("SELECT * FROM " + kUnique), pqxx::serialization_failure);
}

BOOST_AUTO_TEST_CASE(enqueue_refuses_bad_input_and_says_what_it_expected) {
  TestDatabase test;
  const auto refused = [&](const std::string& arguments, const std::string& message) {
    const auto got = refusal(test, "SELECT outbox.enqueue(" + arguments + ")");
    BOOST_TEST(got.sqlstate == "23514", arguments + ": " + got.text);
    BOOST_TEST(says(got.text, message), arguments + ": " + got.text);
    BOOST_TEST(says(got.text, "HINT:"), got.text);
  };
  refused("NULL", "outbox: the kind is NULL");
  refused("''", "the kind has 0 characters");
  refused("'k', queue => repeat('q', 64)", "the queue name has 64 characters; 1 to 63 are allowed");
  refused("'k', priority => 9", "priority is 9; 0 (first) to 3 (last) are allowed");
  refused("'k', priority => 40000", "priority is 40000; 0 (first) to 3 (last) are allowed");
  refused("'k', max_attempts => 40000", "max_attempts is 40000; 1 to 1000 are allowed");
  refused("'k', max_attempts => 0", "max_attempts is 0; 1 to 1000 are allowed");
  refused("'k', run_at => now(), delay => '1s'", "both run_at and delay are given");
  refused("'k', run_at => 'infinity'", "run_at is infinite");
  refused("'k', headers => '[1]'", "headers is a JSON array; an object is expected");
  refused("'k', unique_key => ''", "unique_key has 0 characters");
  refused("'k', to_jsonb(repeat('x', 1048577))", "at most 1048576 are allowed");
  BOOST_TEST(refusal(test, "SELECT outbox.enqueue('k', '{not json')").sqlstate == "22P02");
  BOOST_TEST(refusal(test, R"(SELECT outbox.enqueue('k', '"\u0000"'))").sqlstate == "22P05");
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 0);
}

BOOST_AUTO_TEST_CASE(enqueue_many_keeps_the_order) {
  TestDatabase test;
  BOOST_TEST(
      test.value(
          R"(SELECT string_agg(concat_ws(' ', m.ordinal, j.kind, j.queue, j.priority, m.created), ', ' ORDER BY ordinal)
    FROM outbox.enqueue_many('[{"kind": "a", "priority": 3}, {"kind": "b", "queue": "q"}, {"kind": "c"}]') m JOIN outbox.jobs j USING (id))") ==
      "");  // the join does not see rows of its own statement
  BOOST_TEST(test.value("SELECT string_agg(concat_ws(' ', kind, queue, priority), ', ' ORDER BY "
                        "id) FROM outbox.jobs") == "a default 3, b q 1, c default 1");
  BOOST_TEST(test.value("SELECT bool_and(kind = want) FROM (SELECT kind, (ARRAY['a', 'b', "
                        "'c'])[row_number() OVER (ORDER BY run_at, id)] AS want "
                        "FROM outbox.jobs) q") == "t");
}

BOOST_AUTO_TEST_CASE(enqueue_many_takes_every_parameter) {
  TestDatabase test;
  test.exec(
      R"(SELECT outbox.enqueue_many('[{"kind": "mail", "payload": {"to": 1}, "queue": "q", "priority": 2, "run_at": "2030-01-02T03:04:05Z",
    "max_attempts": 7, "unique_key": "u", "expires_at": "2031-01-01Z", "headers": {"trace": "t"}}, {"kind": "later", "delay": "1 hour"}]'))",
      Login::app);
  BOOST_TEST(test.value("SELECT concat_ws(' ', payload, queue, priority, max_attempts, unique_key, "
                        "headers, run_at = '2030-01-02 03:04:05Z', "
                        "expires_at = '2031-01-01Z') FROM outbox.jobs WHERE kind = 'mail'") ==
             R"({"to": 1} q 2 7 u {"trace": "t"} t t)");
  BOOST_TEST(test.value("SELECT run_at - created_at BETWEEN '59 min' AND '61 min' AND payload = "
                        "'{}' FROM outbox.jobs WHERE kind = 'later'") == "t");
}

BOOST_AUTO_TEST_CASE(enqueue_many_keeps_a_payload_that_is_null) {
  TestDatabase test;
  test.exec(R"(SELECT outbox.enqueue_many('[{"kind": "a", "payload": null}, {"kind": "b"}]'))",
            Login::app);
  BOOST_TEST(test.value("SELECT string_agg(payload::text, ' ' ORDER BY id) FROM outbox.jobs") ==
             "null {}");
}

BOOST_AUTO_TEST_CASE(many_with_the_same_keys_in_another_order_wait_and_do_not_deadlock) {
  TestDatabase test;
  const auto many = [&](const std::string& order) {
    return std::async(std::launch::async, [&test, order] {
      Producer producer{test};
      producer.runs(
          "SELECT FROM outbox.enqueue_many((SELECT jsonb_agg(jsonb_build_object('kind', 'a', "
          "'unique_key', 'k' || i) ORDER BY " +
          order + ") FROM generate_series(1, 10000) i))");
      producer.commits();
    });
  };
  auto ups = many("i");
  auto downs = many("-i");
  BOOST_CHECK_NO_THROW(ups.get());
  BOOST_CHECK_NO_THROW(downs.get());
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 10'000);
}

BOOST_AUTO_TEST_CASE(enqueue_many_names_twins_and_live_jobs) {
  TestDatabase test;
  test.exec("SELECT outbox.enqueue('a', unique_key => 'live')", Login::app);
  BOOST_TEST(
      test.value(
          R"(SELECT string_agg(concat_ws(' ', ordinal, id - (SELECT min(id) FROM outbox.jobs), created), ', ' ORDER BY ordinal)
    FROM outbox.enqueue_many('[{"kind": "a", "unique_key": "new"}, {"kind": "a", "unique_key": "new"}, {"kind": "a", "unique_key": "live"},
      {"kind": "b", "unique_key": "live"}]'))") == "1 1 t, 2 1 f, 3 0 f, 4 4 t");
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 3);
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.enqueue_many('[]')", Login::app) == 0);
}

BOOST_AUTO_TEST_CASE(enqueue_many_gives_no_id_for_a_twin_that_it_cannot_see) {
  TestDatabase test;
  Producer a{test};
  Producer b{test};
  const auto mine = a.enqueues(kUnique);
  auto theirs = std::async(std::launch::async, [&] { return b.enqueues(kUniqueMany); });
  BOOST_TEST(waits(test, b, a));
  a.commits();
  BOOST_TEST(theirs.get() == "NULL f");
  BOOST_TEST(b.enqueues(kUnique) ==
             mine.substr(0, mine.find(' ')) + " f");  // as its comment advises
}

BOOST_AUTO_TEST_CASE(enqueue_many_refuses_bad_input_and_names_the_job) {
  TestDatabase test;
  const auto refused = [&](const std::string& jobs, const std::string& message) {
    const auto got = refusal(test, "SELECT outbox.enqueue_many(" + jobs + ")");
    BOOST_TEST(got.sqlstate == "23514", jobs + ": " + got.text);
    BOOST_TEST(says(got.text, message), jobs + ": " + got.text);
  };
  refused("NULL", "enqueue_many expects a JSON array of objects");
  refused("'{}'", "enqueue_many expects a JSON array of objects");
  refused(R"('[{"kind": "a"}, 7]')", "job 2: is not an object");
  refused(R"('[{"payload": 1}]')", "job 1: has no kind");
  refused(R"('[{"kind": null}]')", "job 1: has no kind");
  refused(R"('[{"kind": "a", "run_at": "2030-01-01", "delay": "1s"}]')",
          "job 1: has both run_at and delay");
  refused(R"('[{"kind": "a", "prority": 1}]')", "job 1: has the unknown key 'prority'");
  refused(R"('[{"kind": "a", "priority": 9}]')", "job 1: priority is 9; 0 (first) to 3 (last)");
  refused(R"('[{"kind": "a"}, {"kind": "a", "priority": 40000}]')", "job 2: priority is 40000");
  refused(R"('[{"kind": "a", "max_attempts": 1e9}]')", "job 1: max_attempts is 1000000000");
  refused("(SELECT jsonb_agg('{\"kind\": \"a\"}'::jsonb) FROM generate_series(1, 10001))",
          "was given 10001 jobs; at most 10000 are allowed");
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.jobs") == 0);
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.enqueue_many((SELECT jsonb_agg('{\"kind\": "
                         "\"a\"}'::jsonb) FROM generate_series(1, 10000)))",
                         Login::app) == 10000);
}

BOOST_AUTO_TEST_SUITE_END()
