// The heartbeat: registered, lost, marked dead; and what happens to the jobs meanwhile.
#include <atomic>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "engine/membership.hpp"
#include "support/engine.hpp"

namespace membership_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::eventually;
using test::RunningProcessor;
using test::World;

void mark_dead(World& world, int id) {
  world.db.exec(
      "UPDATE outbox.processors SET dead_at = clock_timestamp(), dead_reason = 'by hand' WHERE id "
      "= " +
      std::to_string(id));
}

}  // namespace membership_pgtest

BOOST_AUTO_TEST_SUITE(membership_pgtest)

BOOST_AUTO_TEST_CASE(a_lost_heartbeat_connection_is_replaced_and_work_goes_on) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  RunningProcessor one{world, "one"};
  RunningProcessor two{world, "two"};
  for (int i = 0; i < 3; ++i) {
    world.db.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'outboxd % heartbeat'");
    world.insert_many("work", 5);
    BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
    BOOST_TEST(eventually(5s, [&] { return one.health().ready && two.health().ready; }));
  }
  BOOST_TEST(world.effects() == 15);
  // Both hold the lock of their id again, whether it is the old one or a new one.
  BOOST_TEST(eventually(5s, [&] {
    return world.db.number(
               "SELECT count(*) FROM outbox.processors p JOIN pg_locks l ON l.locktype = "
               "'advisory' "
               "AND l.classid = 7306802 AND l.objid::int = p.id AND l.granted WHERE p.dead_at IS "
               "NULL") == 2;
  }));
}

BOOST_AUTO_TEST_CASE(marked_dead_it_drops_its_jobs_registers_anew_and_they_run_to_their_end_once) {
  World world;
  std::atomic<int> runs{0};
  std::atomic<bool> told{false};
  world.cpp("work", [&](Context& context) {
    test::note(context);
    if (++runs > 1) return;
    const auto end = core::Clock::now() + 10s;
    while (!context.stop_token().stop_requested() && core::Clock::now() < end)
      std::this_thread::sleep_for(1ms);
    told = context.stop_token().stop_requested();
  });
  const auto id = world.insert("work");
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return runs == 1; }));
  const int before = processor.id();
  mark_dead(world, before);
  BOOST_TEST(eventually(10s, [&] { return processor.id() != 0 && processor.id() != before; }));
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 1; }));
  BOOST_TEST(told.load());
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.db.number("SELECT attempt FROM outbox.finished_jobs") == 1);
  BOOST_TEST(world.metric("outboxd_fenced_total") == 1);
  BOOST_TEST(world.live() == 0);
  BOOST_TEST_MESSAGE(world.failures(id));
}

BOOST_AUTO_TEST_CASE(a_result_of_a_claim_that_was_rescued_meanwhile_is_refused) {
  World world;
  std::atomic<int> runs{0};
  std::atomic<bool> open{false};
  world.cpp("work", [&](Context& context) {
    test::note(context, "run " + std::to_string(++runs));
    if (runs > 1) return;
    while (!open) std::this_thread::sleep_for(1ms);  // deaf to its token
  });
  const auto id = world.insert("work");
  RunningProcessor one{world, "one"};
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return runs == 1; }));
  RunningProcessor two{world, "two"};
  mark_dead(world, one.id());
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 1; }));
  BOOST_TEST(world.db.value("SELECT note FROM effects") == "run 2");
  open = true;
  BOOST_TEST(
      eventually(10s, [&] { return world.metric("outboxd_stale_finishes_total", "work") == 1; }));
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.failures(id) == "crash");
  BOOST_TEST(world.db.number("SELECT attempt FROM outbox.finished_jobs") == 1);
}

BOOST_AUTO_TEST_CASE(a_hand_driven_member_is_fenced_and_registers_anew) {
  World world;
  world.cpp("work", [](Context&) {});
  std::atomic<int> fenced{0};
  engine::Membership member{world.options,
                            {.name = "m",
                             .version = "0",
                             .built_for = 3,
                             .pid = 1,
                             .queues = {},
                             .kinds = {},
                             .dead_after = 2s},
                            world.events,
                            {.dead_waiting = [](bool) {}, .fenced = [&] { ++fenced; }}};
  BOOST_TEST(!member.id());
  member.start();
  BOOST_TEST_REQUIRE(member.id().has_value());
  const int before = *member.id();
  mark_dead(world, before);
  BOOST_TEST(eventually(5s, [&] { return member.id() && *member.id() != before; }));
  BOOST_TEST(fenced == 1);
  member.stop(store::Left::nothing);
  BOOST_TEST(!member.id());
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.processors WHERE dead_at IS NULL") == 0);
  member.stop(store::Left::nothing);  // twice does no harm
}

// Others take a free lock for a death at their next beat.
BOOST_AUTO_TEST_CASE(a_heartbeat_session_that_is_ended_is_replaced_at_once) {
  World world;
  world.options.processor.heartbeat = 20s;
  world.options.processor.dead_after = 1min;
  RunningProcessor one{world};
  BOOST_TEST(eventually(5s, [&] { return one.health().ready; }));
  const std::string locks =
      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7306802 AND granted";
  for (int i = 0; i < 3; ++i) {
    const auto pid = world.db.value(
        "SELECT max(pid) FROM pg_stat_activity WHERE application_name "
        "LIKE 'outboxd % heartbeat' AND datname = current_database()");
    world.db.exec("SELECT pg_terminate_backend(" + pid + ", 5000)");
    BOOST_TEST(eventually(2s, [&] { return world.db.number(locks) == 1; }));
  }
  BOOST_TEST(world.metric("outboxd_fenced_total") == 0);
}

// As in a connection that is silently gone: the heartbeat waits, and somebody else must notice.
BOOST_AUTO_TEST_CASE(a_processor_whose_heartbeat_hangs_fences_itself) {
  World world;
  world.options.processor.heartbeat = 100ms;
  world.options.processor.dead_after = 1s;
  world.options.database.statement_timeout = 1min;
  std::atomic<bool> started{false};
  std::atomic<bool> told{false};
  world.external("work", [&](ExternalContext& context) {
    if (started.exchange(true)) return;  // it runs again
    told = eventually(10s, [&] { return context.stop_token().stop_requested(); });
  });
  world.insert("work");
  RunningProcessor one{world};
  BOOST_TEST(eventually(5s, [&] { return started.load(); }));
  test::Producer other{world.db.url()};
  other.run("BEGIN");
  other.run("SELECT FROM outbox.processors FOR UPDATE");
  BOOST_TEST(eventually(10s, [&] { return told.load(); }));
  BOOST_TEST(one.id() == 0);
  other.run("ROLLBACK");
  BOOST_TEST(eventually(10s, [&] { return one.id() != 0 && world.finished() == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
