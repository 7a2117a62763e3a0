// Claims whose reply was lost: found, given back uncharged, and told from those that are known.
#include <boost/test/unit_test.hpp>

#include "store/claim.hpp"
#include "store/strays.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace strays_pgtest {

using namespace outbox;
using test::TestDatabase;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::claims};

  void claim(int processor, int most, const std::string& queue = "default") {
    store::Cursor cursor;
    const auto got = store::claim(
        database, {.processor = processor, .queue = queue, .kinds = {"act"}, .most = most},
        store::From::start, cursor);
    BOOST_REQUIRE(got.size() == static_cast<std::size_t>(most));
  }
  /// Claims with token 1.
  static store::LatestClaims known(const std::vector<std::int64_t>& ids, int token = 1) {
    store::LatestClaims out;
    for (const auto id : ids) {
      store::Claimed claimed;
      claimed.job.id = id;
      claimed.claim_token = token;
      out.add(claimed);
    }
    return out;
  }
  std::string held() {
    return db.value(
        "SELECT coalesce(string_agg(id || ' by ' || claimed_by, ', ' ORDER BY id), 'none') FROM "
        "outbox.jobs WHERE claimed_by IS NOT NULL");
  }
};

}  // namespace strays_pgtest

BOOST_FIXTURE_TEST_SUITE(strays_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(only_unknown_claims_of_this_processor_and_queue_are_given_back) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, priority) SELECT 'act', i FROM generate_series(0, 3) i; "
      "INSERT INTO outbox.jobs (kind) VALUES ('act'); INSERT INTO outbox.jobs (kind, queue) VALUES "
      "('act', 'other')");
  claim(7, 4);           // ids 1, 2, 5, 3 in order of priority
  claim(8, 1);           // id 4
  claim(7, 1, "other");  // id 6
  BOOST_TEST(store::release_strays(database, 7, "default", known({1, 5})) == 2);
  BOOST_TEST(held() == "1 by 7, 4 by 8, 5 by 7, 6 by 7");
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', id, attempt, claim_token, claimed_at IS "
                      "NULL), ', ' ORDER BY id) "
                      "FROM outbox.jobs WHERE claimed_by IS NULL") == "2 0 2 t, 3 0 2 t");
  BOOST_TEST(store::release_strays(database, 7, "default", known({1, 5})) == 0);
  BOOST_TEST(store::release_strays(database, 7, "default", known({})) == 2);
}

BOOST_AUTO_TEST_CASE(a_suspect_keeps_the_attempt_that_its_claim_did_not_charge) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, suspect, crashes, attempt, claim_token) VALUES ('act', true, "
      "1, 1, 2)");
  BOOST_REQUIRE(store::claim_suspect(
                    database, {.processor = 7, .queue = "default", .kinds = {"act"}, .most = 1})
                    .has_value());
  BOOST_TEST(store::release_strays(database, 7, "default", known({})) == 1);
  BOOST_TEST(db.value("SELECT concat_ws(' ', attempt, suspect, claim_token) FROM outbox.jobs") ==
             "1 t 4");
}

// The retry of the first claim lost its reply, and so did the second claim.
BOOST_AUTO_TEST_CASE(a_later_claim_of_a_known_job_is_given_back) {
  db.exec("INSERT INTO outbox.jobs (kind, claim_token) VALUES ('act', 1)");
  claim(7, 1);
  BOOST_TEST(store::release_strays(database, 7, "default", known({1}, 2)) == 0);
  BOOST_TEST(store::release_strays(database, 7, "default", known({1}, 1)) == 1);
  BOOST_TEST(held() == "none");
}

BOOST_AUTO_TEST_CASE(a_row_that_the_lost_statement_still_holds_is_left) {
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act'), ('act')");
  claim(7, 2);
  const test::Transaction lost{db, "SELECT FROM outbox.jobs WHERE id = 1 FOR UPDATE"};
  BOOST_TEST(store::release_strays(database, 7, "default", known({})) == 1);
  BOOST_TEST(held() == "1 by 7");
}

BOOST_AUTO_TEST_SUITE_END()
