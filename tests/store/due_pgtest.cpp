// The next due time: past jobs do not count, the nearest of all priorities does.
#include <boost/test/unit_test.hpp>

#include "store/due.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace due_pgtest {

using namespace outbox;
using test::TestDatabase;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::claims};
};

}  // namespace due_pgtest

BOOST_FIXTURE_TEST_SUITE(due_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(nothing_is_scheduled_when_all_is_due_or_in_another_queue) {
  BOOST_TEST(!store::next_due(database, "default").has_value());
  db.exec(
      "INSERT INTO outbox.jobs (kind) VALUES ('k'); "
      "INSERT INTO outbox.jobs (kind, queue, run_at) VALUES ('k', 'other', now() + interval '1 "
      "h')");
  BOOST_TEST(!store::next_due(database, "default").has_value());
  BOOST_TEST(store::next_due(database, "other").has_value());
}

BOOST_AUTO_TEST_CASE(the_nearest_of_all_priorities_counts_and_is_never_told_too_early) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, priority, run_at) VALUES ('k', 0, now() + interval '2 h'), "
      "('k', 3, now() + interval '90 s'), ('k', 1, now() + interval '1 h'), ('k', 1, now() - "
      "interval '1 h')");
  const auto due = store::next_due(database, "default");
  BOOST_REQUIRE(due.has_value());
  BOOST_TEST(due->count() <= 90'000);
  BOOST_TEST(due->count() > 80'000);
  BOOST_TEST(
      db.number(
          "SELECT count(*) FROM outbox.jobs WHERE run_at > clock_timestamp() + interval '1 ms' * " +
          std::to_string(due->count()) + " AND priority = 3") == 0);
}

BOOST_AUTO_TEST_SUITE_END()
