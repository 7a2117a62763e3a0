// Details of attempts on their way into failures and history: whatever they hold, the end is
// written.
#include <boost/test/unit_test.hpp>

#include "core/limits.hpp"
#include "store/claim.hpp"
#include "store/finish.hpp"
#include "store/finish_batch.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace detail_pgtest {

using namespace outbox;
using core::milliseconds;
using store::Claimed;
using store::FinishClaim;
using test::TestDatabase;

constexpr int kProcessor = 7;
constexpr const char* kBadDetails[]{R"({"body": "\u0000"})", "{", "\xFF", R"({"n": 1e999999})"};

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::claims};

  std::vector<Claimed> claimed_jobs(int count) {
    db.exec("INSERT INTO outbox.jobs (kind) SELECT 'act' FROM generate_series(1, " +
            std::to_string(count) + ")");
    store::Cursor cursor;
    return store::claim(
        database, {.processor = kProcessor, .queue = "default", .kinds = {"act"}, .most = count},
        store::From::start, cursor);
  }
  bool settle(const Claimed& claimed, const core::Verdict& verdict, const std::string& detail) {
    return store::settle(database, kProcessor, claimed, verdict, {"error", {}, detail});
  }
  std::string failed() {
    return db.value(
        "SELECT string_agg(coalesce(detail::text, 'none'), ' ' ORDER BY job_id) FROM "
        "outbox.job_failures");
  }
  std::string finished() {
    return db.value(
        "SELECT string_agg(id || ' ' || coalesce(detail::text, 'none'), ', ' ORDER BY id) FROM "
        "outbox.finished_jobs");
  }
};

}  // namespace detail_pgtest

BOOST_FIXTURE_TEST_SUITE(detail_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_retry_and_a_dead_letter_keep_it_and_a_snooze_does_not) {
  const auto jobs = claimed_jobs(4);
  BOOST_TEST(settle(jobs[0], core::WriteRetry{milliseconds{0}, "x"}, R"({"status": 503})"));
  BOOST_TEST(settle(jobs[1], core::WriteDead{"attempts", "x"}, R"({"status": 400})"));
  BOOST_TEST(settle(jobs[2], core::WriteSnooze{milliseconds{0}}, R"({"status": 429})"));
  BOOST_TEST(settle(jobs[3], core::WriteRetry{milliseconds{0}, "x"}, ""));
  BOOST_TEST(failed() == R"({"status": 503} {"status": 400} none)");
}

BOOST_AUTO_TEST_CASE(one_that_is_no_json_is_left_out_and_the_failure_is_written) {
  for (const char* const bad : kBadDetails) {
    const auto jobs = claimed_jobs(2);
    BOOST_TEST_CONTEXT(bad) {
      BOOST_TEST(settle(jobs[0], core::WriteRetry{milliseconds{60'000}, "x"}, bad));
      BOOST_TEST(settle(jobs[1], core::WriteDead{"attempts", "x"}, bad));
    }
  }
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures WHERE detail IS NULL") == 8);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NULL") == 4);
}

BOOST_AUTO_TEST_CASE(one_that_is_too_long_is_told_instead) {
  const auto jobs = claimed_jobs(2);
  const auto of_length = [](std::size_t bytes) {
    return R"({"body": ")" + std::string(bytes - 12, 'x') + "\"}";
  };
  BOOST_TEST(
      settle(jobs[0], core::WriteRetry{milliseconds{0}, "x"}, of_length(core::kDetailBytesMax)));
  BOOST_TEST(settle(jobs[1], core::WriteRetry{milliseconds{0}, "x"},
                    of_length(core::kDetailBytesMax + 1)));
  BOOST_TEST(db.value("SELECT string_agg(length(detail ->> 'body') || '', ' ') || "
                      "string_agg(detail ->> 'left_out', ' ') FROM outbox.job_failures") ==
             "65524the detail had 65537 bytes; at most 65536 are kept");
}

BOOST_AUTO_TEST_CASE(the_history_keeps_those_that_are_given) {
  const auto jobs = claimed_jobs(4);
  db.exec("UPDATE outbox.jobs SET priority = 3 WHERE id IN (3, 4)");  // they move
  const std::vector<FinishClaim> claims{{&jobs[0], {}},
                                        {&jobs[1], R"({"status": 200, "body": "a,\"b\""})"},
                                        {&jobs[2], R"({"status": 201})"},
                                        {&jobs[3]}};
  BOOST_TEST(store::finish_batch(database, kProcessor, claims, true).size() == 4U);
  BOOST_TEST(finished() ==
             R"(1 none, 2 {"body": "a,\"b\"", "status": 200}, 3 {"status": 201}, 4 none)");
}

BOOST_AUTO_TEST_CASE(one_that_is_no_json_keeps_no_job_from_being_finished) {
  for (const char* const bad : kBadDetails) {
    for (const bool moved : {false, true}) {
      const auto jobs = claimed_jobs(2);
      BOOST_TEST_CONTEXT(bad << (moved ? ", moved" : ", in place")) {
        if (moved) db.exec("UPDATE outbox.jobs SET priority = 3");
        const std::vector<FinishClaim> claims{{&jobs[0], bad}, {&jobs[1], R"({"status": 200})"}};
        BOOST_TEST(store::finish_batch(database, kProcessor, claims, true).size() == 2U);
      }
    }
  }
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.finished_jobs WHERE detail IS NULL") == 16);
}

BOOST_AUTO_TEST_CASE(without_history_none_is_kept_and_a_stale_claim_writes_none) {
  const auto jobs = claimed_jobs(2);
  db.exec("UPDATE outbox.jobs SET claim_token = 9 WHERE id = 2");
  const std::vector<FinishClaim> claims{{&jobs[0], "{"}, {&jobs[1], "{"}};
  BOOST_TEST(store::finish_batch(database, kProcessor, claims, false).size() == 1U);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.finished_jobs") == 0);
  BOOST_TEST(!settle(jobs[1], core::WriteRetry{milliseconds{0}, "x"}, R"({"status": 503})"));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures") == 0);
}

BOOST_AUTO_TEST_SUITE_END()
