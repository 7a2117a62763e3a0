// Enqueueing by hand: every parameter arrives, the defaults are those of SQL.
#include <boost/test/unit_test.hpp>

#include "store/jobs_enqueue.hpp"
#include "support/database.hpp"

namespace jobs_enqueue_pgtest {

using namespace outbox;
using test::TestDatabase;

struct Fixture {
  TestDatabase db;
  store::Database database{db.options(test::Login::app), "test", store::Use::people};
};

}  // namespace jobs_enqueue_pgtest

BOOST_FIXTURE_TEST_SUITE(jobs_enqueue_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_kind_alone_takes_the_defaults) {
  const auto job = store::jobs_enqueue(database, {.kind = "mail"});
  BOOST_TEST(job.created);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, kind, queue, priority, max_attempts, payload, "
                      "run_at <= clock_timestamp(), headers IS NULL) "
                      "FROM outbox.jobs") == std::to_string(job.id) + " mail default 1 20 {} t t");
}

BOOST_AUTO_TEST_CASE(every_parameter_arrives) {
  const auto job = store::jobs_enqueue(database, {.kind = "mail",
                                                  .payload = R"({"n": 12345678901234567890})",
                                                  .headers = R"({"h": 1})",
                                                  .queue = "q",
                                                  .priority = 3,
                                                  .run_at = {},
                                                  .delay = std::chrono::hours{2},
                                                  .max_attempts = 7,
                                                  .unique_key = "u",
                                                  .expires_at = "2999-01-01 00:00:00+00"});
  BOOST_TEST(job.created);
  BOOST_TEST(
      db.value("SELECT concat_ws(' ', payload, headers, queue, priority, max_attempts, unique_key, "
               "run_at BETWEEN now() + interval '119 min' AND now() + interval '121 min', "
               "extract(year from expires_at)) FROM outbox.jobs") ==
      R"({"n": 12345678901234567890} {"h": 1} q 3 7 u t 2999)");
  const auto again = store::jobs_enqueue(database, {.kind = "mail", .unique_key = "u"});
  BOOST_TEST(!again.created);
  BOOST_TEST(again.id == job.id);
}

BOOST_AUTO_TEST_CASE(what_the_database_refuses_comes_back_as_rejected) {
  const auto rejected = [](const core::DbError& e) { return e.fault() == core::Fault::rejected; };
  BOOST_CHECK_EXCEPTION((void)store::jobs_enqueue(database, {.kind = std::string(64, 'k')}),
                        core::DbError, rejected);
  BOOST_CHECK_EXCEPTION((void)store::jobs_enqueue(database, {.kind = "k", .priority = 9}),
                        core::DbError, rejected);
  BOOST_CHECK_EXCEPTION((void)store::jobs_enqueue(database, {.kind = "k", .run_at = "soon"}),
                        core::DbError, rejected);
  BOOST_CHECK_EXCEPTION(
      (void)store::jobs_enqueue(database, {.kind = "k", .payload = R"("\u0000")"}), core::DbError,
      rejected);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
  BOOST_TEST(store::jobs_enqueue(database, {.kind = "k"}).created);
}

BOOST_AUTO_TEST_SUITE_END()
