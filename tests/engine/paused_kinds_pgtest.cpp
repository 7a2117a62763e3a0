// Paused kinds: claimed in neither lane, not as suspects either; and how processors hear of it.
#include <thread>

#include <boost/test/unit_test.hpp>

#include "support/engine.hpp"

namespace paused_kinds_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::eventually;
using test::RunningProcessor;
using test::World;

/// Kinds of both lanes, twice.
struct Paused : World {
  Paused() {
    for (const char* kind : {"work", "work2"})
      cpp(kind, [](Context& context) { test::note(context, context.job().kind); });
    for (const char* kind : {"post", "post2"})
      sql(kind, std::string{"INSERT INTO effects (job, note) VALUES ($2, '"} + kind + "')");
  }
  void pause(const std::string& kind) { db.exec("SELECT outbox.pause_kind('" + kind + "')"); }
  void resume(const std::string& kind) { db.exec("SELECT outbox.resume_kind('" + kind + "')"); }
  std::string ran() {
    return db.value("SELECT coalesce(string_agg(note, ' ' ORDER BY note), '') FROM effects");
  }
  /// What is inserted now, and for a while, is not claimed.
  bool stands_still(const std::string& kind) {
    insert(kind);
    return !eventually(150ms, [&] { return live() == 0; });
  }
};

}  // namespace paused_kinds_pgtest

BOOST_AUTO_TEST_SUITE(paused_kinds_pgtest)

BOOST_AUTO_TEST_CASE(what_is_paused_before_the_start_is_never_claimed_and_runs_when_resumed) {
  Paused world;
  world.pause("work");
  world.pause("post");
  for (const char* kind : {"work", "post", "work2", "post2"}) world.insert(kind);
  RunningProcessor processor{world};
  BOOST_TEST(eventually(5s, [&] { return world.live() == 2; }));
  // Both lanes have looked at what is paused, too, by now, and will again.
  for (int i = 0; i < 20; ++i) world.insert(i % 2 == 0 ? "work2" : "post2");
  BOOST_TEST(eventually(5s, [&] { return world.live() == 2; }));
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.jobs WHERE claim_token = 0") == 2);
  world.resume("work");
  BOOST_TEST(eventually(5s, [&] { return world.live() == 1; }));
  world.resume("post");
  BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.effects() == 24);
}

// Ten seconds are the time of the look that needs no news.
BOOST_AUTO_TEST_CASE(a_pause_is_heard_of_at_once_by_who_is_awake_and_by_who_sleeps) {
  Paused world;
  RunningProcessor processor{world};
  for (const char* kind : {"work", "post", "work", "post"}) {
    world.insert(kind);
    BOOST_TEST_REQUIRE(eventually(5s, [&] { return world.live() == 0; }));
    world.pause(kind);
    BOOST_TEST_REQUIRE(eventually(3s, [&] { return world.stands_still(kind); }));
    world.resume(kind);
    BOOST_TEST_REQUIRE(eventually(3s, [&] { return world.live() == 0; }));
  }
}

BOOST_AUTO_TEST_CASE(a_suspect_of_a_paused_kind_waits_and_holds_nobody_up) {
  Paused world;
  for (const char* kind : {"work", "post"})
    world.insert(kind, "suspect, crashes, attempt, claim_token", "true, 1, 1, 1");
  world.pause("work");
  world.pause("post");
  RunningProcessor processor{world};
  for (const char* kind : {"work2", "post2"}) {
    world.insert(kind);
    BOOST_TEST(eventually(5s, [&] { return world.live() == 2; }));
  }
  BOOST_TEST(world.ran() == "post2 work2");
  world.resume("work");
  world.resume("post");
  BOOST_TEST(eventually(12s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.ran() == "post post2 work work2");
}

BOOST_AUTO_TEST_CASE(a_pause_that_is_told_together_with_a_job_does_not_swallow_its_wake_up) {
  Paused world;
  RunningProcessor processor{world};
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(100ms);  // it falls asleep
    world.db.exec(
        "INSERT INTO outbox.jobs (kind) VALUES ('work2'), ('post2'); NOTIFY outbox, 'schema'; "
        "SELECT outbox.pause_kind('work'); SELECT outbox.resume_kind('work')");
    BOOST_TEST_REQUIRE(eventually(5s, [&] { return world.live() == 0; }));
  }
}

BOOST_AUTO_TEST_SUITE_END()
