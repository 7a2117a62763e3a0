// Plans: whatever the planner has been told about the jobs table, the hot statements neither scan
// nor sort it, take no more rows than asked for, and read few pages. The real functions of store/
// are called, again and again (from the sixth execution on a plan may be a generic one), and
// auto_explain shows every plan, those inside of functions too. Every case has a database of its
// own, because of its past.
#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "pg/session.hpp"
#include "store/claim.hpp"
#include "store/direct.hpp"
#include "store/due.hpp"
#include "store/finish.hpp"
#include "store/finish_batch.hpp"
#include "store/presence.hpp"
#include "store/run.hpp"
#include "store/statements.hpp"
#include "store/strays.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"

namespace plans_pgtest {

using namespace outbox;
using nlohmann::json;
using store::Claimed;
using store::From;
using test::TestDatabase;

constexpr int kProcessor = 7;
constexpr int kExecutions = 8;
/// Rows that the table once had. The sanitizers look at our memory, not at the server's plans.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* kPast = "20000";
#else
constexpr const char* kPast = "1000000";
#endif

/// A connection that tells the plans of all that it executes; only a superuser may have that.
class Watched {
 public:
  Watched(const TestDatabase& db, store::Use use)
      : database{db.options(test::Login::superuser), "test", use},
        notices_{database.session().raw(), plans_} {
    database.session().run_script(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze "
        "= on;"
        "SET auto_explain.log_buffers = on; SET auto_explain.log_nested_statements = on;"
        "SET auto_explain.log_format = json; SET auto_explain.log_level = notice");
  }

  std::vector<json> take() { return std::exchange(plans_, {}); }

  store::Database database;

 private:
  class Notices : public pqxx::errorhandler {
   public:
    Notices(pqxx::connection& connection, std::vector<json>& plans)
        : pqxx::errorhandler{connection}, plans_{plans} {}
    bool operator()(const char message[]) noexcept override {
      const std::string text{message};
      const auto first = text.find("{\n");
      const auto last = text.find("\n}", first);
      if (first != std::string::npos && last != std::string::npos)
        plans_.push_back(json::parse(text.substr(first, last + 2 - first)).at("Plan"));
      return false;
    }

   private:
    std::vector<json>& plans_;
  };

  std::vector<json> plans_;
  Notices notices_;
};

void each_node(const json& node, const std::function<void(const json&)>& look) {
  look(node);
  if (!node.contains("Plans")) return;
  for (const auto& child : node.at("Plans")) each_node(child, look);
}

/// Pages of shared buffers that the execution looked at; planning not counted.
std::int64_t pages_of(const json& plan) {
  return plan.at("Shared Hit Blocks").get<std::int64_t>() +
         plan.at("Shared Read Blocks").get<std::int64_t>();
}

struct Fixture {
  TestDatabase db;
  store::Cursor cursor;

  Fixture() { db.exec("ALTER TABLE outbox.jobs SET (autovacuum_enabled = false)"); }

  /// Due jobs, suspects, and claims of a dead processor.
  void some_jobs() {
    db.exec(R"(
      INSERT INTO outbox.jobs (kind, priority) SELECT 'act', i % 4 FROM generate_series(1, 1000) i;
      INSERT INTO outbox.jobs (kind, suspect, crashes) SELECT 'act', true, 1 FROM generate_series(1, 20);
      INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at, dead_reason)
        VALUES ('dead', '1', 3, 1, '{}', '{}', false, '10 s', now(), 'test');
      INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token)
        SELECT 'act', 1, now(), 1 FROM generate_series(1, 5))");
  }

  /// Executes `step` some times; no plan of it may scan or sort the jobs table, and none may look
  /// at more than `most` pages.
  static void check(const char* name, Watched& on, std::int64_t most,
                    const std::function<void()>& step) {
    for (int i = 0; i < kExecutions; ++i) {
      BOOST_TEST_CONTEXT(name << ", execution " << i + 1) {
        static_cast<void>(on.take());
        step();
        const auto plans = on.take();
        std::int64_t pages{0};
        std::set<std::string> scans;
        for (const auto& plan : plans) {
          pages = std::max(pages, pages_of(plan));
          each_node(plan, [&](const json& node) {
            const auto type = node.at("Node Type").get<std::string>();
            BOOST_TEST(type.find("Sort") == std::string::npos);
            if (node.value("Relation Name", "") == "jobs") scans.insert(type);
          });
        }
        BOOST_TEST(!scans.empty());
        BOOST_TEST(scans.count("Seq Scan") == 0U);
        if (i > 0) BOOST_TEST(pages <= most);  // the first reads the catalogue, too
      }
    }
  }

  store::ClaimRequest request(int most) const {
    return {.processor = kProcessor, .queue = "default", .kinds = {"act"}, .most = most};
  }
  std::vector<Claimed> claim(Watched& on, int most, From from = From::cursor) {
    auto got = store::claim(on.database, request(most), from, cursor);
    BOOST_REQUIRE_EQUAL(got.size(), static_cast<std::size_t>(most));
    return got;
  }

  /// A claim: 20 pages to find them, and four for each row.
  void check_claims(Watched& hot) {
    check("claim", hot, 20 + 4 * 10, [&] { claim(hot, 10); });
    check("claim_suspect", hot, 20 + 4,
          [&] { BOOST_TEST(store::claim_suspect(hot.database, request(1)).has_value()); });
    check("suspect_waiting", hot, 20,
          [&] { BOOST_TEST(store::suspect_waiting(hot.database, request(1))); });
    check("next_due", hot, 20,
          [&] { static_cast<void>(store::next_due(hot.database, "default")); });
  }

  /// Twelve for each row: also the history and its indexes.
  void check_groups(Watched& hot) {
    const store::DirectKinds kinds{{{"act", {"SELECT pg_catalog.now()"}, {}, {}}}};
    const store::DirectRequest group{
        .processor = kProcessor, .queue = "default", .most = 10, .history = true};
    check("run_group", hot, 20 + 12 * 10, [&] {
      const auto got = store::run_group(hot.database, group, kinds, From::cursor, cursor);
      BOOST_TEST(got.size() == 10U);
    });
  }

  /// Each changes one row, and up to three tables and their indexes.
  void check_settling(const char* where, Watched& on, Watched& hot) {
    const auto settled = [&](const core::Verdict& verdict) {
      const auto job = claim(hot, 1).at(0);
      static_cast<void>(hot.take());
      BOOST_TEST(store::settle(on.database, kProcessor, job, verdict, {"error", "XX000"}));
    };
    BOOST_TEST_CONTEXT(where) {
      check("retry", on, 30, [&] { settled(core::WriteRetry{core::milliseconds{1}, "x"}); });
      check("snooze", on, 30, [&] { settled(core::WriteSnooze{core::milliseconds{1}}); });
      check("bury", on, 30, [&] { settled(core::WriteDead{"attempts", "x"}); });
      const auto job = claim(hot, 1).at(0);
      check("still_claimed", on, 10,
            [&] { BOOST_TEST(store::still_claimed(on.database, kProcessor, job)); });
    }
  }

  void check_finishing(Watched& runner, Watched& hot) {
    const store::RunRequest run{
        .processor = kProcessor, .history = true, .timeout = core::milliseconds{5'000}};
    const auto done = [](const store::Ran& ran) {
      BOOST_TEST(std::holds_alternative<store::RanDone>(ran));
    };
    const store::Body nothing = [](pqxx::dbtransaction&) { return Outcome{Done{}}; };
    check("finish_job", runner, 20 + 4,
          [&] { done(store::run(runner.database, run, claim(hot, 1)[0], nothing)); });
    check("finish_job of a row that moved", runner, 20 + 8, [&] {
      const auto job = claim(hot, 1)[0];
      db.exec("UPDATE outbox.jobs SET run_at = run_at - interval '1 h' WHERE id = " +
              std::to_string(job.job.id));
      done(store::run(runner.database, run, job, nothing));
    });
    check("run_job", runner, 20 + 4, [&] {
      done(store::run(runner.database, run, claim(hot, 1)[0],
                      store::SqlBody{"SELECT pg_catalog.now()"}));
    });
    const auto finish = [&](bool history, std::string_view detail) {
      const auto jobs = claim(hot, 10);
      static_cast<void>(hot.take());
      std::vector<store::FinishClaim> all;
      for (const auto& job : jobs) all.push_back({&job, detail});
      BOOST_TEST(store::finish_batch(hot.database, kProcessor, all, history).size() == 10U);
    };
    check("finish_batch", hot, 20 + 8 * 10, [&] { finish(false, ""); });
    check("finish_batch with history", hot, 20 + 8 * 10, [&] { finish(true, ""); });
    check("finish_batch with details", hot, 20 + 8 * 10,
          [&] { finish(true, R"({"status": 200})"); });
    check("release", hot, 20 + 4 * 2, [&] {
      const auto jobs = claim(hot, 2);
      static_cast<void>(hot.take());
      BOOST_TEST(store::release(hot.database, kProcessor, jobs) == 2);
    });
  }

  /// Both walk the whole index, at most a tenth of the time: only their form is looked at.
  void check_walks() {
    Watched chores{db, store::Use::chores};
    check("rescue", chores, 1'000'000,
          [&] { static_cast<void>(store::rescue(chores.database, kProcessor, 3, 100)); });
    store::LatestClaims known;
    for (int id = 1; id <= 3; ++id) {
      Claimed claimed;
      claimed.job.id = id;
      known.add(claimed);
    }
    check("release_strays", chores, 1'000'000,
          [&] { static_cast<void>(store::release_strays(chores.database, 99, "default", known)); });
  }

  void check_plans() {
    some_jobs();
    Watched hot{db, store::Use::claims};
    Watched runner{db, store::Use::handlers};
    claim(hot, 4, From::start);  // sets the cursor
    check_claims(hot);
    check_groups(hot);
    check_settling("on a finisher's session", hot, hot);
    check_settling("on a runner's session", runner, hot);
    check_finishing(runner, hot);
    check_walks();
  }
};

}  // namespace plans_pgtest

BOOST_FIXTURE_TEST_SUITE(plans_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(every_statement_of_a_processor_prepares_against_a_fresh_schema) {
  std::set<std::string> names;
  store::Database database{db.options(), "test", store::Use::claims};
  for (const auto& statement : store::statements()) {
    BOOST_TEST_CONTEXT(statement.name) {
      BOOST_TEST(names.insert(statement.name).second);
      BOOST_TEST(std::string{statement.sql}.starts_with(std::string{"/* outbox:"} + statement.name +
                                                        " */"));
      BOOST_CHECK_NO_THROW(database.session().run_script(std::string{"PREPARE "} + statement.name +
                                                         " AS " + statement.sql));
    }
  }
  BOOST_TEST(names.size() > 30U);
}

BOOST_AUTO_TEST_CASE(plans_are_precise_on_a_table_that_was_never_analysed) { check_plans(); }

BOOST_AUTO_TEST_CASE(plans_are_precise_on_a_table_that_was_empty_when_it_was_analysed) {
  db.exec(std::string{"INSERT INTO outbox.jobs (kind) SELECT 'act' FROM generate_series(1, "} +
          kPast + "); DELETE FROM outbox.jobs");
  store::Database{db.options(test::Login::superuser), "test", store::Use::people}
      .session()
      .run_script("VACUUM ANALYZE outbox.jobs");
  check_plans();
}

BOOST_AUTO_TEST_CASE(plans_are_precise_beside_many_scheduled_jobs) {
  db.exec(std::string{"INSERT INTO outbox.jobs (kind, priority, run_at) SELECT 'act', i % 4, now() "
                      "+ i * interval "
                      "'1 s' + interval '1 h' FROM generate_series(1, "} +
          kPast + ") i");
  db.exec("ANALYZE outbox.jobs");
  check_plans();
}

BOOST_AUTO_TEST_CASE(plans_are_precise_from_the_cursor_on_while_a_snapshot_pins_all_dead_rows) {
  const test::Transaction pin{
      db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM outbox.jobs"};
  db.exec(
      std::string{
          "INSERT INTO outbox.jobs (kind, priority) SELECT 'act', i % 4 FROM generate_series(1, "} +
      kPast + ") i; DELETE FROM outbox.jobs");
  db.exec("ANALYZE outbox.jobs");
  check_plans();
  Watched sweeping{db, store::Use::claims};
  claim(sweeping, 1, From::start);
  BOOST_TEST(pages_of(sweeping.take().back()) > 300);  // what the cursor saves: a sweep walks them
}

BOOST_AUTO_TEST_SUITE_END()
