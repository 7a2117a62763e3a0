// Who is alive, how the dead are found out, and what becomes of their jobs.
#include <optional>

#include <boost/test/unit_test.hpp>

#include "pg/session.hpp"
#include "store/claim.hpp"
#include "store/finish.hpp"
#include "store/presence.hpp"
#include "store/run.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"
#include "support/eventually.hpp"

namespace presence_pgtest {

using namespace outbox;
using store::Claimed;
using test::TestDatabase;

store::Registration registration(const std::string& name) {
  return {.name = name,
          .version = "1.2.3",
          .built_for = 3,
          .pid = 42,
          .queues = {"default"},
          .kinds = {"act"},
          .dead_after = std::chrono::seconds{10}};
}

/// A processor as the store sees it: a connection that holds its lock, and an id.
struct Processor {
  Processor(const TestDatabase& database, const std::string& name)
      : db{database}, id{store::register_processor(*connection, registration(name))} {}
  store::Beat beat() { return store::beat(*connection, id); }
  void reconnect() { connection.emplace(db.options(), "test", store::Use::people); }

  const TestDatabase& db;
  std::optional<store::Database> connection{std::in_place, db.options(), "test",
                                            store::Use::people};
  int id;
};

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database claims{db.options(), "test", store::Use::claims};

  std::string row(int id, const std::string& columns) {
    return db.value("SELECT concat_ws(' ', " + columns +
                    ") FROM outbox.processors WHERE id = " + std::to_string(id));
  }
  bool lock_held(int id) {
    return db.number(
               "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7306802 "
               "AND granted AND objid = " +
               std::to_string(id)) > 0;
  }
  /// The connection is gone, as after kill -9: the server lets go of the lock.
  void kill(Processor& processor) {
    db.exec("SELECT pg_terminate_backend(" + std::to_string(processor.connection->backend_pid()) +
            ", 10000)");
    BOOST_REQUIRE(!lock_held(processor.id));
  }
  void mark_dead(int id) {
    db.exec(
        "UPDATE outbox.processors SET dead_at = clock_timestamp(), dead_reason = 'test' WHERE id "
        "= " +
        std::to_string(id));
  }
  void jobs(int count, const std::string& queue = "default", int priority = 1) {
    db.exec("INSERT INTO outbox.jobs (kind, queue, priority) SELECT 'act', '" + queue + "', " +
            std::to_string(priority) + " FROM generate_series(1, " + std::to_string(count) + ")");
  }
  std::vector<Claimed> claim(int processor, int most, const std::string& queue = "default") {
    store::Cursor cursor;
    return store::claim(claims,
                        {.processor = processor, .queue = queue, .kinds = {"act"}, .most = most},
                        store::From::start, cursor);
  }
  std::vector<store::Rescued> rescue(int most = 100, int max_crashes = 3) {
    return store::rescue(claims, 99, max_crashes, most);
  }
  std::int64_t claimed_by(int id) {
    return db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by = " + std::to_string(id));
  }
};

}  // namespace presence_pgtest

BOOST_FIXTURE_TEST_SUITE(presence_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_processor_registers_with_its_lock_and_says_who_it_is) {
  Processor a{db, "a"};
  BOOST_TEST(lock_held(a.id));
  BOOST_TEST(row(a.id,
                 "name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at "
                 "IS NULL, "
                 "heartbeat_at > now() - interval '1 min'") ==
             "a 1.2.3 3 42 {default} {act} t 00:00:10 t t");
  Processor b{db, "b"};
  BOOST_TEST(b.id > a.id);
}

BOOST_AUTO_TEST_CASE(the_lock_is_taken_before_the_row_is_there) {
  test::Transaction other{db, "LOCK TABLE outbox.processors"};
  auto registering = test::in_background(db, store::Use::people, [](store::Database& mine) {
    return store::register_processor(mine, registration("slow"));
  });
  BOOST_TEST(test::eventually_blocked(db, 1));
  BOOST_TEST(lock_held(1));
  other.rollback();
  BOOST_TEST(registering.get() == 1);
}

BOOST_AUTO_TEST_CASE(a_beat_keeps_a_processor_alive_and_finds_nobody_dead_who_lives) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  const auto before = row(a.id, "heartbeat_at");
  for (int i = 0; i < 3; ++i) {
    for (auto* processor : {&a, &b}) {
      const auto beat = processor->beat();
      BOOST_TEST(beat.alive);
      BOOST_TEST(beat.deaths.empty());
      BOOST_TEST(!beat.dead_waiting);
    }
  }
  BOOST_TEST(row(a.id, "heartbeat_at") != before);
}

BOOST_AUTO_TEST_CASE(a_processor_whose_session_ended_is_marked_dead_at_the_next_beat_of_another) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  kill(b);
  const auto beat = a.beat();
  BOOST_TEST(beat.alive);
  BOOST_REQUIRE(beat.deaths.size() == 1U);
  BOOST_TEST(beat.deaths[0].id == b.id);
  BOOST_TEST(beat.deaths[0].name == "b");
  BOOST_TEST(beat.deaths[0].reason == "its session lock was gone");
  BOOST_TEST(beat.dead_waiting);
  BOOST_TEST(row(b.id, "dead_reason, dead_at > now() - interval '1 min'") ==
             "its session lock was gone t");
  BOOST_TEST(a.beat().deaths.empty());  // told once
  BOOST_TEST(a.beat().dead_waiting);
  BOOST_TEST(!lock_held(b.id));  // the look at it is over
}

BOOST_AUTO_TEST_CASE(a_processor_that_hangs_is_marked_dead_although_it_holds_its_lock) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  const auto last_beat = [&](const std::string& ago) {
    db.exec(
        "UPDATE outbox.processors SET dead_after = '500 ms', heartbeat_at = clock_timestamp() - "
        "interval '" +
        ago + "' WHERE name = 'b'");
  };
  last_beat("1 h");
  a.reconnect();  // perhaps the database was away for all: b has its time from now on
  BOOST_TEST(a.beat().deaths.empty());
  db.exec("SELECT pg_sleep(0.6)");
  last_beat("200 ms");
  BOOST_TEST(a.beat().deaths.empty());
  last_beat("600 ms");
  const auto beat = a.beat();
  BOOST_REQUIRE(beat.deaths.size() == 1U);
  BOOST_TEST(beat.deaths[0].reason == "its heartbeat was late");
  const auto marked = row(b.id, "heartbeat_at");
  BOOST_TEST(!b.beat().alive);  // for ever
  BOOST_TEST(row(b.id, "heartbeat_at") == marked);
}

BOOST_AUTO_TEST_CASE(a_processor_without_session_lock_is_judged_by_its_heartbeat_alone) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  db.exec("UPDATE outbox.processors SET session_lock = false WHERE name = 'b'");
  kill(b);
  BOOST_TEST(a.beat().deaths.empty());
}

BOOST_AUTO_TEST_CASE(a_processor_that_is_just_beating_is_not_marked_dead) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  kill(b);
  test::Transaction beating{
      db, "UPDATE outbox.processors SET heartbeat_at = clock_timestamp() WHERE name = 'b'"};
  BOOST_TEST(a.beat().deaths.empty());
  beating.rollback();
  BOOST_TEST(a.beat().deaths.size() == 1U);
}

BOOST_AUTO_TEST_CASE(
    after_a_restart_of_the_server_the_first_to_reconnect_does_not_kill_the_others) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  kill(a);
  kill(b);
  a.reconnect();
  BOOST_TEST(store::retake_session_lock(*a.connection, a.id));
  BOOST_TEST(a.beat().deaths.empty());
  b.reconnect();
  BOOST_TEST(store::retake_session_lock(*b.connection, b.id));
  BOOST_TEST(b.beat().alive);
  BOOST_TEST(a.beat().deaths.empty());
  kill(b);  // now it was seen alive by the sessions of today
  BOOST_TEST(a.beat().deaths.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_processor_that_starts_sees_at_once_that_its_predecessor_was_killed) {
  Processor a{db, "a"};
  kill(a);
  Processor next{db, "a"};
  BOOST_TEST(next.beat().deaths.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lock_that_somebody_looks_at_is_taken_again_later) {
  Processor a{db, "a"};
  kill(a);
  a.reconnect();
  test::Transaction looking{db, "SELECT pg_advisory_xact_lock(7306802, 1)"};
  BOOST_TEST(!store::retake_session_lock(*a.connection, a.id));
  looking.rollback();
  BOOST_TEST(store::retake_session_lock(*a.connection, a.id));
}

BOOST_AUTO_TEST_CASE(one_that_leaves_is_forgotten_unless_it_left_claims) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  store::leave(*a.connection, a.id, store::Left::nothing);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.processors") == 1);
  jobs(1);
  BOOST_TEST(claim(b.id, 1).size() == 1U);
  store::leave(*b.connection, b.id, store::Left::claims);
  BOOST_TEST(row(b.id, "dead_reason") == "it stopped and could not give back its claims");
  BOOST_TEST(rescue().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_rescue_charges_a_crash_marks_a_suspect_and_refuses_the_late_finish) {
  Processor a{db, "a"};
  jobs(1);
  const auto job = claim(a.id, 1).at(0);
  mark_dead(a.id);
  const auto rescued = rescue();
  BOOST_REQUIRE(rescued.size() == 1U);
  BOOST_TEST(rescued[0].id == job.job.id);
  BOOST_TEST(rescued[0].queue == "default");
  BOOST_TEST(rescued[0].kind == "act");
  BOOST_TEST(rescued[0].attempt == 1);
  BOOST_TEST(rescued[0].crashes == 1);
  BOOST_TEST(!rescued[0].buried);
  BOOST_TEST(db.value("SELECT concat_ws(' ', claimed_by IS NULL, claim_token, attempt, crashes, "
                      "suspect, last_error) FROM outbox.jobs") ==
             "t 2 1 1 t its processor died while it held the job");
  BOOST_TEST(db.value("SELECT concat_ws(' ', job_id, processor_id, attempt, reason, error) FROM "
                      "outbox.job_failures") ==
             "1 1 1 crash processor 1 (a) died while it held the job: test");
  BOOST_TEST(rescue().empty());
  BOOST_TEST(!store::settle(claims, a.id, job,
                            core::WriteRetry{std::chrono::milliseconds{0}, "late"}, {}));
  const auto late =
      store::run(claims, {.processor = a.id, .history = true, .timeout = std::chrono::seconds{9}},
                 job, store::Body{[](pqxx::transaction_base&) { return Done{}; }});
  BOOST_TEST(std::holds_alternative<store::RanStale>(late));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 1);
}

BOOST_AUTO_TEST_CASE(a_job_that_keeps_killing_its_processors_is_buried_with_the_reason) {
  jobs(1);
  store::ClaimRequest request{.processor = 0, .queue = "default", .kinds = {"act"}, .most = 1};
  for (int crash = 1; crash <= 3; ++crash) {
    Processor victim{db, "victim " + std::to_string(crash)};
    request.processor = victim.id;
    if (crash == 1) {
      BOOST_TEST(claim(victim.id, 1).size() == 1U);
    } else {
      BOOST_TEST(claim(victim.id, 1).empty());  // suspects are claimed alone
      BOOST_TEST(store::claim_suspect(claims, request).has_value());
    }
    mark_dead(victim.id);
    const auto rescued = rescue();
    BOOST_REQUIRE(rescued.size() == 1U);
    BOOST_TEST(rescued[0].crashes == crash);
    BOOST_TEST(rescued[0].buried == (crash == 3));
  }
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, processor_id, reason, attempt, crashes, "
                      "last_error) FROM outbox.dead_jobs") ==
             "1 99 crashes 1 3 3 processors died while they held it; the last one: victim 3, test");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures WHERE reason = 'crash'") == 3);
}

BOOST_AUTO_TEST_CASE(jobs_of_the_living_and_jobs_that_nobody_holds_are_left_alone) {
  Processor a{db, "a"};
  Processor b{db, "b"};
  jobs(6);
  BOOST_TEST(claim(a.id, 2).size() == 2U);
  BOOST_TEST(claim(b.id, 2).size() == 2U);
  mark_dead(a.id);
  BOOST_TEST(rescue().size() == 2U);
  BOOST_TEST(claimed_by(b.id) == 2);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE suspect") == 2);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claim_token = 0") == 2);
}

BOOST_AUTO_TEST_CASE(a_rescue_finds_every_queue_and_priority_and_takes_no_more_than_it_is_given) {
  Processor a{db, "a"};
  for (const std::string queue : {"default", "mail", "zebra"}) {
    for (int priority = 0; priority < 4; ++priority) jobs(2, queue, priority);
    BOOST_TEST(claim(a.id, 8, queue).size() == 8U);
    jobs(1, queue, 2);
  }
  mark_dead(a.id);
  BOOST_TEST(rescue(10).size() == 10U);
  BOOST_TEST(rescue(10).size() == 10U);
  BOOST_TEST(rescue(10).size() == 4U);
  BOOST_TEST(claimed_by(a.id) == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE suspect") == 24);
}

BOOST_AUTO_TEST_CASE(a_row_that_the_dead_ones_last_statement_still_holds_is_left_to_the_next_pass) {
  Processor a{db, "a"};
  jobs(2);
  BOOST_TEST(claim(a.id, 2).size() == 2U);
  mark_dead(a.id);
  test::Transaction last{db, "DELETE FROM outbox.jobs WHERE id = 1"};
  BOOST_TEST(rescue().size() == 1U);
  last.rollback();
  BOOST_TEST(rescue().size() == 1U);
}

BOOST_AUTO_TEST_CASE(claims_of_a_processor_whose_row_is_gone_are_rescued_after_a_minute) {
  jobs(2);
  BOOST_TEST(claim(12'345, 2).size() == 2U);
  db.exec("UPDATE outbox.jobs SET claimed_at = now() - interval '2 min' WHERE id = 1");
  const auto rescued = rescue();
  BOOST_REQUIRE(rescued.size() == 1U);
  BOOST_TEST(rescued[0].id == 1);
  BOOST_TEST(db.value("SELECT error FROM outbox.job_failures") == "its processor died");
}

BOOST_AUTO_TEST_CASE(the_dead_are_forgotten_after_a_day_unless_they_hold_jobs) {
  Processor alive{db, "alive"};
  Processor fresh{db, "fresh"};
  Processor empty{db, "empty"};
  Processor holds{db, "holds"};
  jobs(1);
  BOOST_TEST(claim(holds.id, 1).size() == 1U);
  db.exec(
      "UPDATE outbox.processors SET dead_reason = 'test', dead_at = clock_timestamp() - CASE name "
      "WHEN 'fresh' "
      "THEN interval '23 h' ELSE interval '25 h' END WHERE name <> 'alive'");
  BOOST_TEST(store::forget_dead(claims) == 1);
  BOOST_TEST(db.value("SELECT string_agg(name, ' ' ORDER BY id) FROM outbox.processors") ==
             "alive fresh holds");
  BOOST_TEST(rescue().size() == 1U);
  BOOST_TEST(store::forget_dead(claims) == 1);
}

BOOST_AUTO_TEST_CASE(a_running_statement_of_ours_can_be_cancelled) {
  test::Gate gate{db};
  auto waiting = test::in_background(db, store::Use::people, [](store::Database& mine) {
    mine.session().run_script("SELECT pg_advisory_lock(4711)");
  });
  BOOST_TEST(test::eventually_blocked(db, 1));
  const auto pid = db.number(
      "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
      "current_database()");
  BOOST_TEST(store::cancel_backend(claims, static_cast<int>(pid)));
  BOOST_CHECK_EXCEPTION(waiting.get(), core::DbError,
                        [](const core::DbError& e) { return e.fault() == core::Fault::canceled; });
  BOOST_TEST(!store::cancel_backend(claims, 2'000'000'000));
}

BOOST_AUTO_TEST_SUITE_END()
