// A whole processor: starting, working, losing its database, stopping.
#include <atomic>
#include <future>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "core/error.hpp"
#include "engine/processor.hpp"
#include "store/schema_version.hpp"
#include "support/engine.hpp"

namespace processor_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::eventually;
using test::RunningProcessor;
using test::World;

constexpr auto kOurs = "datname = current_database() AND application_name LIKE 'outboxd %'";

void terminate_all(World& world) {
  world.db.exec(std::string{"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "} +
                kOurs);
}

core::Clock::duration time_of(const std::function<void()>& what) {
  const auto start = core::Clock::now();
  what();
  return core::Clock::now() - start;
}

/// Nobody can connect to the database of `world`, from now until it goes.
class Outage {
 public:
  explicit Outage(World& world) : name_{world.db.name()} {
    allow("false");
    terminate_all(world);
  }
  ~Outage() { end(); }
  Outage(const Outage&) = delete;
  Outage& operator=(const Outage&) = delete;
  void end() { allow("true"); }

 private:
  void allow(const std::string& yes) {
    elsewhere_.run("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS " + yes);
  }
  test::Producer elsewhere_{test::test_url("postgres")};
  std::string name_;
};

/// Commits of processors hang after they are done, as if a synchronous standby were slow, from
/// begin() to end(): their connections can be cut between a commit and its reply.
class SlowCommit {
 public:
  explicit SlowCommit(World& world) : world_{world} {
    world.db.exec("SET synchronous_commit = local");
    admin_.run("SET synchronous_commit = local");
    world.options.processor.dead_after = 60s;  // the heartbeat hangs, too
  }
  ~SlowCommit() { end(); }
  SlowCommit(const SlowCommit&) = delete;
  SlowCommit& operator=(const SlowCommit&) = delete;

  void begin() {
    admin_.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    admin_.run("SELECT pg_reload_conf()");
    std::jthread probe{[&](const std::stop_token& stop) {
      test::Producer session{world_};
      session.run("SET application_name = 'probe'");
      while (!stop.stop_requested()) session.run("INSERT INTO effects DEFAULT VALUES");
    }};
    const bool hangs = eventually(10s, [&] { return hanging("probe", "true") == 1; });
    probe.request_stop();
    if (hangs) hanging("probe", "pg_cancel_backend(pid)");
    probe.join();
    world_.db.exec("DELETE FROM effects WHERE job IS NULL");
  }
  void end() {
    admin_.run("ALTER SYSTEM RESET synchronous_standby_names");
    admin_.run("SELECT pg_reload_conf()");
  }
  /// Waits for a session like that to hang, and ends it.
  bool cut(const std::string& like) {
    return eventually(10s, [&] { return hanging(like, "pg_terminate_backend(pid)") == 1; });
  }

 private:
  std::int64_t hanging(const std::string& like, const std::string& what) {
    return world_.db.number("SELECT count(" + what +
                            ") FROM pg_stat_activity WHERE datname = current_database() "
                            "AND wait_event = 'SyncRep' AND application_name LIKE '" +
                            like + "'");
  }
  World& world_;
  test::Producer admin_{test::test_url("postgres")};
};

/// Handlers that wait until they are let go, or (if they look at it) for their stop token.
struct Latch {
  std::atomic<int> entered{0};
  std::atomic<int> left{0};
  std::atomic<bool> open{false};
  std::atomic<bool> told{false};

  void wait() {
    ++entered;
    while (!open) std::this_thread::sleep_for(1ms);
    ++left;
  }
  void wait_or_stop(const Context& context) {
    ++entered;
    while (!open && !context.stop_token().stop_requested()) std::this_thread::sleep_for(1ms);
    ++left;
    if (open) return;
    told = true;
    throw std::runtime_error{"told to stop"};
  }
};

/// Jobs whose effects are not exactly one, or that have no history row.
std::int64_t not_exactly_once(World& world, int jobs) {
  return world.db.number("SELECT count(*) FROM generate_series(1, " + std::to_string(jobs) +
                         ") n WHERE (SELECT count(*) FROM effects WHERE job = n) <> 1 "
                         "OR (SELECT count(*) FROM outbox.finished_jobs WHERE id = n) <> 1");
}

}  // namespace processor_pgtest

BOOST_AUTO_TEST_SUITE(processor_pgtest)

BOOST_AUTO_TEST_CASE(it_registers_while_it_runs_and_leaves_nothing_behind) {
  World world;
  world.cpp("work", [](Context&) {});
  {
    RunningProcessor processor{world, "the name"};
    BOOST_TEST(world.db.value("SELECT name FROM outbox.processors WHERE dead_at IS NULL") ==
               "the name");
    BOOST_TEST(eventually(5s, [&] { return processor.health().ready; }));
    BOOST_TEST(
        eventually(5s, [&] { return processor.health().schema == store::schema_built_for(); }));
    BOOST_TEST(world.db.value("SELECT history FROM outbox.queues WHERE name = 'default'") == "t");
    BOOST_TEST((time_of([&] { BOOST_TEST(processor.stop()); }) < 2s));
    BOOST_TEST(!processor.health().ready);
    BOOST_TEST(processor.health().why_not == "it is stopping");
  }
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.processors") == 0);
  BOOST_TEST(eventually(5s, [&] {
    return world.db.number(std::string{"SELECT count(*) FROM pg_stat_activity WHERE "} + kOurs) ==
           0;
  }));
}

BOOST_AUTO_TEST_CASE(a_start_without_a_database_throws_and_leaves_nothing_running) {
  World world;
  world.cpp("work", [](Context&) {});
  world.options.database.url = "postgresql://127.0.0.1:1/nowhere";
  engine::Processor processor{world.options, world.handlers, world.events};
  BOOST_CHECK_EXCEPTION(processor.start(), core::DbError,
                        [](const core::DbError& e) { return e.fault() == core::Fault::outage; });
  BOOST_TEST(!processor.health().ready);
  BOOST_TEST(processor.stop("it never started"));
}

BOOST_AUTO_TEST_CASE(a_start_without_a_schema_says_to_migrate) {
  World world;
  world.cpp("work", [](Context&) {});
  const test::TestDatabase empty{test::Schema::empty};
  world.options.database = empty.options();
  engine::Processor processor{world.options, world.handlers, world.events};
  BOOST_CHECK_EXCEPTION(processor.start(), core::Error,
                        [](const core::Error& e) { return e.code() == core::ExitCode::pending; });
}

BOOST_AUTO_TEST_CASE(a_start_as_superuser_is_refused_unless_it_is_allowed) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  world.options.database = world.db.options(test::Login::superuser);
  {
    engine::Processor refused{world.options, world.handlers, world.events};
    BOOST_CHECK_EXCEPTION(refused.start(), core::Error, [](const core::Error& e) {
      return e.code() == core::ExitCode::configuration;
    });
  }
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.processors") == 0);
  world.options.database.allow_privileged_role = true;
  RunningProcessor allowed{world};
  world.insert("work");
  BOOST_TEST(eventually(10s, [&] { return world.effects() == 1; }));
}

BOOST_AUTO_TEST_CASE(a_stop_lets_the_running_job_finish_and_gives_back_the_others_uncharged) {
  Latch latch;
  World world;
  world.queue().concurrency = 1;
  world.queue().direct_workers = 1;
  world.options.processor.grace = 20s;
  world.cpp("work", [&](Context& context) {
    test::note(context);
    latch.wait();
  });
  world.insert_many("work", 3);
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return latch.entered == 1; }));
  auto stopped = std::async(std::launch::async, [&] { return processor.stop(); });
  BOOST_TEST(eventually(10s, [&] {
    return world.db.number(
               "SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NULL AND attempt = 0") == 2;
  }));
  BOOST_TEST((stopped.wait_for(0s) == std::future_status::timeout));
  latch.open = true;
  BOOST_TEST(stopped.get());
  BOOST_TEST(latch.entered == 1);
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.finished() == 1);
  BOOST_TEST(world.db.number(
                 "SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NULL AND attempt = 0") == 2);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.processors") == 0);
}

BOOST_AUTO_TEST_CASE(when_the_grace_is_over_handlers_are_told_and_their_jobs_given_back_uncharged) {
  Latch latch;
  World world;
  world.options.processor.grace = 200ms;
  world.cpp("work", [&](Context& context) {
    test::note(context);
    latch.wait_or_stop(context);
  });
  world.sql("slow", "INSERT INTO effects SELECT 0, 'slow' FROM pg_sleep(60)").lane =
      core::Lane::claimed;
  world.insert("work");
  world.insert("slow");
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(eventually(10s, [&] {
    return latch.entered == 1 &&
           world.db.number(
               "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%outbox:run_job%' "
               "AND state = 'active' AND pid <> pg_backend_pid()") == 1;
  }));
  BOOST_TEST((time_of([&] { BOOST_TEST(processor.stop()); }) < 2s));
  BOOST_TEST(latch.told.load());
  BOOST_TEST(world.effects() == 0);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NULL AND "
                             "attempt = 0 AND crashes = 0") == 2);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures") == 0);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.processors") == 0);
}

BOOST_AUTO_TEST_CASE(a_handler_that_ignores_its_token_holds_up_the_stop_for_a_moment_only) {
  static Latch latch;  // its thread outlives the processor's stop
  static std::atomic<bool> thread_ended{false};
  struct AtThreadEnd {
    ~AtThreadEnd() { thread_ended = true; }
    void touch() {}
  };
  World world;
  world.options.processor.grace = 100ms;
  world.cpp("work", [](Context& context) {
    thread_local AtThreadEnd at_thread_end;
    at_thread_end.touch();
    test::note(context);
    latch.wait();
  });
  const auto id = world.insert("work");
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return latch.entered == 1; }));
  BOOST_TEST((time_of([&] { BOOST_TEST(!processor.stop()); }) < 4s));
  BOOST_TEST(world.job(id, "claimed_by IS NULL") == "t");
  BOOST_TEST(world.job(id, "attempt") == "0");
  latch.open = true;
  // The program would have ended itself by now; here the processor must live as long as that
  // thread.
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return thread_ended.load(); }));
  BOOST_TEST(world.metric("outboxd_stale_finishes_total", "work") == 1);
  BOOST_TEST(world.effects() == 0);
  BOOST_TEST(world.job(id, "claimed_by IS NULL") == "t");
}

BOOST_AUTO_TEST_CASE(two_processors_share_a_queue_and_run_every_job_once) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.sql("claimed", "INSERT INTO effects (job) VALUES ($2)").lane = core::Lane::claimed;
  for (int i = 0; i < 10; ++i) {
    for (const char* kind : {"work", "post", "claimed"}) world.insert_many(kind, 20);
  }
  RunningProcessor one{world, "one"};
  RunningProcessor two{world, "two"};
  BOOST_TEST(eventually(30s, [&] { return world.live() == 0; }));
  BOOST_TEST(not_exactly_once(world, 600) == 0);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures") == 0);
  BOOST_TEST(world.metric("outboxd_jobs_claimed_total") == 600);
}

BOOST_AUTO_TEST_CASE(with_a_concurrency_of_one_nothing_runs_beside_anything_in_either_lane) {
  World world;
  world.queue().concurrency = 1;
  world.queue().direct_workers = 1;
  const std::string statement =
      "INSERT INTO effects (job, note) SELECT $2, pg_try_advisory_xact_lock(4711)::text FROM "
      "pg_sleep(0.003)";
  world.cpp("work", [](Context& context) {
    context.tx().exec("INSERT INTO effects (job, note) SELECT " + std::to_string(context.job().id) +
                      ", pg_try_advisory_xact_lock(4711)::text FROM pg_sleep(0.003)");
  });
  world.sql("post", statement);
  for (int i = 0; i < 10; ++i) {
    world.insert_many("work", 4);
    world.insert_many("post", 4);
  }
  RunningProcessor processor{world};
  BOOST_TEST(eventually(30s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.effects() == 80);
  BOOST_TEST(world.db.number("SELECT count(*) FROM effects WHERE note <> 'true'") == 0);
}

BOOST_AUTO_TEST_CASE(with_a_concurrency_of_one_jobs_start_in_order_of_priority_then_age) {
  World world;
  world.queue().concurrency = 1;
  world.cpp("work", [](Context& context) { test::note(context); });
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, priority) SELECT 'work', 3 - n % 4 FROM generate_series(1, "
      "24) n");
  RunningProcessor processor{world};
  BOOST_TEST(eventually(20s, [&] { return world.live() == 0; }));
  BOOST_TEST(
      world.db.number("SELECT count(*) FROM (SELECT job, row_number() OVER (ORDER BY at) AS ran, "
                      "row_number() OVER (ORDER BY f.priority, f.id) AS due FROM effects JOIN "
                      "outbox.finished_jobs f "
                      "ON f.id = job) x WHERE ran <> due") == 0);
}

BOOST_AUTO_TEST_CASE(a_live_job_with_the_same_unique_key_is_not_inserted_again) {
  Latch latch;
  World world;
  world.cpp("work", [&](Context&) { latch.wait(); });
  RunningProcessor processor{world};
  const std::string enqueue = "SELECT created FROM outbox.enqueue('work', unique_key => 'k')";
  BOOST_TEST(world.db.value(enqueue) == "t");
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return latch.entered == 1; }));
  BOOST_TEST(world.db.value(enqueue) == "f");
  latch.open = true;
  BOOST_TEST(eventually(10s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.db.value(enqueue) == "t");
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 2; }));
}

BOOST_AUTO_TEST_CASE(a_paused_queue_rests_until_it_is_resumed_and_others_go_on) {
  World world;
  world.options.queues["other"] = {};
  world.cpp("work", [](Context& context) { test::note(context); });
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  RunningProcessor processor{world};
  world.insert("work");
  world.insert("post");
  world.insert("work", "queue", "'other'");
  world.insert("post", "queue", "'other'");
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 2; }));
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.finished_jobs WHERE queue = 'other'") ==
             2);
  BOOST_TEST(world.live() == 2);
  world.db.exec("UPDATE outbox.queues SET paused_at = NULL; SELECT outbox.wake()");
  BOOST_TEST(eventually(2s, [&] { return world.live() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_long_handler_and_a_busy_direct_lane_do_not_starve_each_other) {
  World world;
  world.queue().concurrency = 1;
  world.queue().direct_workers = 1;
  world.cpp("work", [](Context& context) { test::note(context, "work"); });
  world.sql("post", "INSERT INTO effects (job, note) VALUES ($2, 'post')");
  world.insert_many("post", 3'000);
  world.insert_many("work", 20);
  RunningProcessor processor{world};
  BOOST_TEST(eventually(30s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.db.number("SELECT count(*) FROM effects WHERE note = 'post' AND at > "
                             "(SELECT max(at) FROM effects WHERE note = 'work')") > 0);
}

BOOST_AUTO_TEST_CASE(connections_that_are_lost_again_and_again_lose_nothing_and_double_nothing) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.sql("claimed", "INSERT INTO effects (job) SELECT $2 FROM pg_sleep(0.01)").lane =
      core::Lane::claimed;
  RunningProcessor processor{world};
  for (int round = 0; round < 8; ++round) {
    for (const char* kind : {"work", "post", "claimed"}) world.insert_many(kind, 50);
    const auto before = world.finished();
    (void)eventually(300ms, [&] { return world.finished() > before + 20; });
    terminate_all(world);
  }
  BOOST_TEST(eventually(30s, [&] { return world.live() == 0; }));
  BOOST_TEST(not_exactly_once(world, 1'200) == 0);
  BOOST_TEST(eventually(10s, [&] { return processor.health().ready; }));
  BOOST_TEST(processor.stop());
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.processors WHERE dead_at IS NULL") == 0);
}

BOOST_AUTO_TEST_CASE(an_outage_is_told_by_the_health_and_what_it_cut_off_runs_again) {
  Latch latch;
  World world;
  world.cpp("work", [&](Context& context) {
    test::note(context);
    latch.wait_or_stop(context);
  });
  const auto id = world.insert("work");
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(
      eventually(10s, [&] { return latch.entered == 1 && processor.health().ready; }));
  Outage outage{world};
  BOOST_TEST(eventually(10s, [&] { return !processor.health().ready; }));
  BOOST_TEST(processor.health().why_not.find("heartbeat") != std::string::npos);
  // It fences itself: others may think by now that it is dead.
  BOOST_TEST(eventually(10s, [&] { return latch.told.load(); }));
  outage.end();
  BOOST_TEST(eventually(10s, [&] { return processor.health().ready; }));
  latch.open = true;
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 1; }));
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.failures(id).empty());
  BOOST_TEST(world.db.number("SELECT attempt FROM outbox.finished_jobs") == 1);
}

// A claim that committed while its reply was lost: nobody runs it, and nobody may rescue it.
BOOST_AUTO_TEST_CASE(a_claim_whose_reply_was_lost_is_found_again) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  SlowCommit slow{world};
  RunningProcessor processor{world};
  slow.begin();
  const auto id = world.insert("work");
  BOOST_TEST(slow.cut("outboxd % claim default"));
  slow.end();
  BOOST_TEST(world.job(id, "claimed_by IS NOT NULL") == "t");
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 1; }));
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.db.number("SELECT attempt FROM outbox.finished_jobs") == 1);
}

BOOST_AUTO_TEST_CASE(a_commit_whose_reply_was_lost_is_looked_up_and_not_run_again) {
  World world;
  SlowCommit slow{world};
  Latch latch;
  world.cpp("work", [&](Context& context) {
    test::note(context);
    latch.wait();
  });
  RunningProcessor processor{world};
  world.insert("work");
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return latch.entered == 1; }));
  slow.begin();
  latch.open = true;
  BOOST_TEST(slow.cut("outboxd % runner"));
  slow.end();
  BOOST_TEST(eventually(10s, [&] { return world.metric("outboxd_in_doubt_total") == 1; }));
  BOOST_TEST(world.live() == 0);
  BOOST_TEST(latch.entered == 1);
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.finished() == 1);
}

BOOST_AUTO_TEST_CASE(a_stop_during_an_outage_ends_and_others_rescue_what_was_claimed) {
  Latch latch;
  World world;
  world.options.processor.grace = 100ms;
  world.cpp("work", [&](Context& context) {
    test::note(context);
    latch.wait_or_stop(context);
  });
  world.insert_many("work", 3);
  {
    RunningProcessor processor{world};
    BOOST_TEST_REQUIRE(eventually(10s, [&] { return latch.entered == 3; }));
    const Outage outage{world};
    BOOST_TEST((time_of([&] { BOOST_TEST(processor.stop()); }) < 6s));
  }
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NOT NULL") == 3);
  latch.open = true;
  RunningProcessor other{world, "other"};
  BOOST_TEST(eventually(15s, [&] { return world.finished() == 3; }));
  BOOST_TEST(world.effects() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
