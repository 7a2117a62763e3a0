// Pausing and resuming kinds, what the views say of them, and the ids of messages.
#include <future>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "core/error.hpp"
#include "store/kinds.hpp"
#include "store/message_id.hpp"
#include "store/migrate.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace kinds_pgtest {

using namespace outbox;
using test::Schema;
using test::TestDatabase;
using Names = std::vector<std::string>;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database people{db.options(test::Login::operating), "test", store::Use::people};
  store::Database worker{db.options(test::Login::worker), "test", store::Use::claims};

  void processors() {
    db.exec(R"(
      INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at, dead_reason) VALUES
        ('a', '1', 5, 1, '{q}', '{mail,hook}', true, '1 h', NULL, NULL), ('b', '1', 5, 2, '{q}', '{mail}', true, '1 h', NULL, NULL),
        ('gone', '1', 5, 3, '{q}', '{old}', true, '1 h', now(), 'it is gone'))");
  }
  std::string audit() {
    return db.value(
        "SELECT string_agg(concat_ws(' ', login ~ '_operator$', actor, action, why, queue, job_id, "
        "kind), ', ' ORDER BY id) FROM outbox.audit");
  }
};

/// Why rolling back to 4 is refused; empty when it went.
/// Also on another thread, where Boost's macros may not be used.
std::string refusal(TestDatabase& db) {
  store::Database database{db.options(test::Login::migrator), "test", store::Use::people};
  try {
    store::migrate_down(database, {.to = 4, .allow_data_loss = false}, {});
  } catch (const core::Error& e) {
    return e.code() == core::ExitCode::refused ? e.what() : "not refused: " + std::string{e.what()};
  }
  store::migrate_up(database, std::nullopt, {});
  return {};
}

}  // namespace kinds_pgtest

BOOST_FIXTURE_TEST_SUITE(kinds_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(pausing_keeps_the_first_moment_and_reason_and_is_audited) {
  processors();
  const auto first = store::pause_kind(worker, "hook", {.why = "410", .actor = "processor 1"});
  BOOST_TEST(!first.was_paused);
  BOOST_TEST(first.known);
  const auto second = store::pause_kind(people, "hook", {.why = "too slow", .actor = "anna"});
  BOOST_TEST(second.was_paused);
  BOOST_TEST((second.since == first.since));
  BOOST_TEST(store::paused_kinds(worker) == Names{"hook"});
  BOOST_TEST(db.value("SELECT paused_why FROM outbox.kinds") == "410");
  BOOST_TEST((store::resume_kind(people, "hook", {.why = "is back", .actor = "anna"}) ==
              store::ResumeEnd::resumed));
  BOOST_TEST(store::paused_kinds(worker).empty());
  BOOST_TEST(db.value("SELECT concat_ws(' ', paused_at IS NULL, paused_why IS NULL) FROM "
                      "outbox.kinds") == "t t");
  BOOST_TEST(audit() == "f processor 1 pause 410 * hook, t anna resume is back * hook");
  BOOST_TEST(db.value("SELECT before ->> 'paused_why' FROM outbox.audit ORDER BY id DESC") ==
             "410");
}

BOOST_AUTO_TEST_CASE(what_nobody_knows_is_said_and_what_is_not_paused_too) {
  processors();
  BOOST_TEST(!store::pause_kind(people, "typo").known);
  BOOST_TEST(store::pause_kind(people, "old").known);  // of a processor that died today
  BOOST_TEST((store::resume_kind(people, "mail") == store::ResumeEnd::not_paused));
  BOOST_TEST((store::resume_kind(people, "typo") == store::ResumeEnd::resumed));
  BOOST_TEST((store::resume_kind(people, "typo") == store::ResumeEnd::not_paused));
  BOOST_TEST((store::resume_kind(people, "typos") == store::ResumeEnd::not_found));
  BOOST_CHECK_EXCEPTION(store::pause_kind(people, std::string(64, 'k')), core::DbError,
                        [](const core::DbError& e) {
                          return std::string{e.what()}.find("64 characters") != std::string::npos;
                        });
}

BOOST_AUTO_TEST_CASE(the_list_has_what_can_be_run_and_what_was_paused) {
  processors();
  (void)store::pause_kind(people, "hook", {.why = "gone", .actor = ""});
  (void)store::pause_kind(people, "nobodys", {});
  std::string text;
  for (const auto& kind : store::kind_statuses(people))
    text += kind.name + ' ' + std::to_string(kind.processors) + ' ' +
            (kind.paused_at ? "paused " : "runs ") + kind.paused_why + '\n';
  BOOST_TEST(text == "hook 1 paused gone\nmail 2 runs \nnobodys 0 paused \n");
}

BOOST_AUTO_TEST_CASE(views_say_that_a_kind_is_paused_and_why) {
  processors();
  db.exec(R"(
    INSERT INTO outbox.queues (name, paused_at) VALUES ('p', now());
    INSERT INTO outbox.jobs (queue, kind, run_at) VALUES ('q', 'hook', now()), ('q', 'mail', now()), ('p', 'hook', now()),
      ('q', 'hook', now() + interval '1 h'), ('q', 'old', now());
    INSERT INTO outbox.jobs (queue, kind, claimed_by, claimed_at, claim_token) VALUES ('q', 'hook', 1, now(), 1);
    SELECT outbox.pause_kind('hook', 'it answered 410'), outbox.pause_kind('old'))");
  BOOST_TEST(
      db.value("SELECT string_agg(id || ' ' || state, ', ' ORDER BY id) FROM outbox.job_states") ==
      "1 paused, 2 waiting, 3 paused, 4 scheduled, 5 paused, 6 claimed");
  BOOST_TEST(db.value("SELECT string_agg(id || ' ' || reason, '; ' ORDER BY id) FROM "
                      "outbox.stuck_jobs") ==
             "1 its kind is paused: it answered 410; 3 its queue is paused; 5 its kind is paused");
}

BOOST_AUTO_TEST_CASE(message_ids_are_of_this_database_and_outlive_a_rollback) {
  TestDatabase mine;
  store::Database ours{mine.options(test::Login::worker), "test", store::Use::people};
  const auto prefix = store::message_prefix(ours);
  const auto id = mine.value("SELECT outbox.message_id(12340)", test::Login::app);
  BOOST_TEST(id == prefix + "12340");
  BOOST_TEST(mine.value("SELECT '" + prefix + "' ~ '^msg_[0-9a-f]{16}_$'") == "t");
  BOOST_TEST(store::message_prefix(worker) != prefix);
  BOOST_TEST(refusal(mine) == "");  // back and forth
  BOOST_TEST(mine.value("SELECT outbox.message_id(12340)") == id);
}

BOOST_AUTO_TEST_CASE(rolling_back_refuses_to_lose_pauses_and_details) {
  TestDatabase mine;
  const auto lost = [&](const std::string& sql) {
    mine.exec(sql);
    return refusal(mine);
  };
  const std::string begin = "outbox 0005 down: would discard details of ";
  BOOST_TEST(lost("SELECT outbox.pause_kind('k')") ==
             begin +
                 "0 failures and 0 finished jobs (counted up to 1000 each), and pauses of 1 "
                 "kinds");
  BOOST_TEST(lost("SELECT outbox.resume_kind('k')") == "");
  BOOST_TEST(lost("INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, "
                  "kind, error, failed_at, detail) SELECT 1, 1, 1, 'error', 'q', 'k', 'e', now() - "
                  "d * interval '30 days', CASE d WHEN 1 THEN '{}'::jsonb END FROM "
                  "generate_series(0, 2) d") ==
             begin +
                 "1 failures and 0 finished jobs (counted up to 1000 each), and pauses of 0 "
                 "kinds");
  BOOST_TEST(lost("UPDATE outbox.job_failures SET detail = NULL") == "");
  BOOST_TEST(
      lost("INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, "
           "created_at, run_at, started_at, finished_at, queue, kind, payload, detail) SELECT "
           "outbox.day_slot(now()), 1, 1, 0, 1, 1, now(), now(), now(), now(), 'q', 'k', '{}', "
           "'{\"status\": 200}'") ==
      begin + "0 failures and 1 finished jobs (counted up to 1000 each), and pauses of 0 kinds");
}

// It looks once before it locks and once under the locks, for what came in between.
BOOST_AUTO_TEST_CASE(rolling_back_sees_a_detail_that_comes_while_it_waits_for_the_locks) {
  TestDatabase mine;
  pqxx::connection other{mine.url()};
  pqxx::work writer{other};
  writer.exec(
      "INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, error, "
      "detail) VALUES (1, 1, 1, 'error', 'q', 'k', 'e', '{}');"
      "INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, "
      "created_at, run_at, started_at, finished_at, queue, kind, payload, detail) SELECT "
      "outbox.day_slot(now()), 1, 1, 0, 1, 1, now(), now(), now(), now(), 'q', 'k', '{}', '{}'");
  auto refused = std::async(std::launch::async, [&] { return refusal(mine); });
  BOOST_TEST(test::eventually_blocked(mine, 1));
  writer.commit();
  BOOST_TEST(refused.get().starts_with(
      "outbox 0005 down: would discard details of 1 failures and 1 finished jobs"));
}

BOOST_AUTO_TEST_SUITE_END()
