// The public C++ enqueue, inside a transaction of the caller's own.
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include <outbox/enqueue.hpp>

#include "support/database.hpp"

namespace enqueue_pgtest {

using namespace std::chrono_literals;
using namespace std::string_literals;
using outbox::enqueue;
using outbox::enqueue_many;
using outbox::NewJob;
using outbox::test::TestDatabase;

/// An application: its own connection, nothing of outboxd's settings.
struct Application {
  TestDatabase test;
  pqxx::connection connection{test.url(outbox::test::Login::app)};

  std::int64_t jobs() { return test.number("SELECT count(*) FROM outbox.jobs"); }

  outbox::Enqueued enqueued(const NewJob& job) {
    pqxx::work tx{connection};
    const auto result = enqueue(tx, job);
    tx.commit();
    return result;
  }

  /// SQLSTATE and message of the database's refusal.
  std::string refusal(const NewJob& job) {
    try {
      (void)enqueued(job);
    } catch (const pqxx::sql_error& e) {
      return e.sqlstate() + " " + e.what();
    }
    return "no error";
  }
};

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace enqueue_pgtest

BOOST_FIXTURE_TEST_SUITE(enqueue_pgtest, Application)

BOOST_AUTO_TEST_CASE(a_job_exists_if_and_only_if_the_transaction_commits) {
  test.exec("CREATE TABLE orders (id int)");
  {
    pqxx::work tx{connection};
    tx.exec("INSERT INTO orders VALUES (1)");
    enqueue(tx, {.kind = "mail"});
    enqueue_many(tx, {{.kind = "a"}, {.kind = "b"}});
    BOOST_TEST(jobs() == 0);
  }  // rolled back
  BOOST_TEST(jobs() == 0);
  pqxx::work tx{connection};
  tx.exec("INSERT INTO orders VALUES (2)");
  const auto job = enqueue(tx, {.kind = "mail"});
  tx.commit();
  BOOST_TEST(job.created);
  BOOST_TEST(test.number("SELECT id FROM outbox.jobs") == job.id);
  BOOST_TEST(test.number("SELECT id FROM orders") == 2);
}

BOOST_AUTO_TEST_CASE(only_a_kind_is_needed_and_the_rest_has_the_databases_defaults) {
  (void)enqueued({.kind = "mail"});
  test.exec("INSERT INTO outbox.jobs (kind) VALUES ('mail')");
  BOOST_TEST(test.number("SELECT count(*) FROM (SELECT DISTINCT queue, kind, payload, priority, "
                         "max_attempts, unique_key, expires_at, headers FROM outbox.jobs) j") == 1);
  BOOST_TEST(test.value("SELECT bool_and(run_at - created_at < '1 second') FROM outbox.jobs") ==
             "t");
}

BOOST_AUTO_TEST_CASE(every_field_arrives) {
  const NewJob job{.kind = "mail",
                   .payload = R"({"n": 123456789012345678901234567890, "t": "'\" é 😀"})",
                   .queue = "q",
                   .priority = 3,
                   .delay = 1h,
                   .max_attempts = 7,
                   .unique_key = "u",
                   .expires_after = 2h,
                   .headers = R"({"trace": "t"})"};
  const std::string row =
      R"(mail|{"n": 123456789012345678901234567890, "t": "'\" é 😀"}|q|3|7|u|{"trace": "t"}|01:00:00|02:00:00)";
  const std::string query =
      "SELECT concat_ws('|', kind, payload, queue, priority, max_attempts, unique_key, headers, "
      "date_trunc('minute', run_at - created_at + '1 second'), "
      "date_trunc('minute', expires_at - created_at + '1 second')) FROM outbox.jobs";
  (void)enqueued(job);
  BOOST_TEST(test.value(query) == row);
  test.exec("DELETE FROM outbox.jobs");
  pqxx::work tx{connection};
  enqueue_many(tx, {job});
  tx.commit();
  BOOST_TEST(test.value(query) == row);
}

BOOST_AUTO_TEST_CASE(a_unique_key_finds_the_live_job) {
  const auto first = enqueued({.kind = "mail", .unique_key = "u"});
  const auto second = enqueued({.kind = "mail", .unique_key = "u"});
  BOOST_TEST(first.created);
  BOOST_TEST(!second.created);
  BOOST_TEST(second.id == first.id);
  BOOST_TEST(enqueued({.kind = "sms", .unique_key = "u"}).created);
  pqxx::work tx{connection};
  const auto many = enqueue_many(tx, {{.kind = "mail", .unique_key = "u"},
                                      {.kind = "new", .unique_key = "u"},
                                      {.kind = "new", .unique_key = "u"}});
  tx.commit();
  BOOST_TEST(many.size() == 3);
  BOOST_TEST(many[0].id == first.id);
  BOOST_TEST(!many[0].created);
  BOOST_TEST(many[1].created);
  BOOST_TEST(!many[2].created);
  BOOST_TEST(many[2].id == many[1].id);
  BOOST_TEST(jobs() == 3);
}

BOOST_AUTO_TEST_CASE(many_keep_their_order_over_several_round_trips) {
  std::vector<NewJob> given;
  for (int i = 0; i < 2'500; ++i) given.push_back({.kind = "k", .payload = std::to_string(i)});
  pqxx::work tx{connection};
  const auto got = enqueue_many(tx, given);
  tx.commit();
  BOOST_TEST(got.size() == given.size());
  BOOST_TEST(jobs() == 2'500);
  BOOST_TEST(test.number("SELECT payload::int FROM outbox.jobs WHERE id = " +
                         std::to_string(got[1'234].id)) == 1'234);
  BOOST_TEST(test.value("SELECT bool_and(payload::int = n) FROM (SELECT payload, row_number() OVER "
                        "(ORDER BY run_at, id) - 1 AS n FROM outbox.jobs) j") == "t");
  pqxx::work none{connection};
  BOOST_TEST(enqueue_many(none, {}).empty());
}

BOOST_AUTO_TEST_CASE(the_database_refuses_what_does_not_fit_and_says_what_it_expected) {
  BOOST_TEST(says(refusal({.kind = ""}), "23514"));
  BOOST_TEST(says(refusal({.kind = ""}), "the kind has 0 characters; 1 to 63 are allowed"));
  BOOST_TEST(says(refusal({.kind = "k", .queue = std::string(64, 'q')}), "64 characters; 1 to 63"));
  BOOST_TEST(says(refusal({.kind = "k", .priority = 4}), "priority is 4"));
  BOOST_TEST(says(refusal({.kind = "k", .max_attempts = 0}), "max_attempts is 0"));
  BOOST_TEST(says(refusal({.kind = "k", .headers = "[]"}), "an object is expected"));
  BOOST_TEST(says(refusal({.kind = "k", .payload = "{not json"}), "22P02"));
  BOOST_TEST(says(refusal({.kind = "k", .payload = ""}), "22P02"));
  BOOST_TEST(says(refusal({.kind = "k", .payload = R"("\u0000")"}), "22P05"));
  BOOST_TEST(says(refusal({.kind = "k\xff"}), "22021"));
  BOOST_TEST(says(refusal({.kind = "k", .payload = '"' + std::string(1'100'000, 'x') + '"'}),
                  "at most 1048576 are allowed"));
  BOOST_TEST(jobs() == 0);
}

BOOST_AUTO_TEST_CASE(a_nul_is_refused_before_it_reaches_libpqxx) {
  const std::vector<NewJob> bad{{.kind = "k\0x"s},
                                {.kind = "k", .payload = "{}\0"s},
                                {.kind = "k", .queue = "q\0"s},
                                {.kind = "k", .unique_key = "u\0v"s},
                                {.kind = "k", .headers = "{}\0"s}};
  pqxx::work tx{connection};
  for (const auto& job : bad) {
    BOOST_CHECK_THROW(enqueue(tx, job), std::invalid_argument);
    BOOST_CHECK_THROW(enqueue_many(tx, {job}), std::invalid_argument);
  }
  (void)enqueue(tx, {.kind = "fine"});  // the transaction goes on
  tx.commit();
  BOOST_TEST(jobs() == 1);
}

BOOST_AUTO_TEST_CASE(many_refuse_all_when_one_does_not_fit) {
  const auto refused = [&](const NewJob& bad) {
    pqxx::work tx{connection};
    return enqueue_many(tx, {{.kind = "fine"}, bad}).empty();
  };
  BOOST_CHECK_THROW(refused({.kind = "k", .priority = 9}), pqxx::sql_error);
  BOOST_CHECK_THROW(refused({.kind = "k", .payload = "{not json"}), std::invalid_argument);
  BOOST_CHECK_THROW(refused({.kind = "k", .payload = "1, 2"}), std::invalid_argument);
  BOOST_CHECK_THROW(refused({.kind = "k", .headers = "{} {}"}), std::invalid_argument);
  BOOST_TEST(jobs() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
