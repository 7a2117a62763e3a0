// Plans: whatever the planner has been told about the jobs table, the hot statements neither scan
// nor sort it, and a claim reads few pages. Every case has a database of its own, because of its
// past.
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "pg/session.hpp"
#include "store/statements.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"

using namespace outbox;
using nlohmann::json;
using test::TestDatabase;

namespace {

/// A job that is claimed by processor 7, for the statements that finish one.
struct Held {
  std::string ctid, id, token;
};

struct Plan {
  json root;
  /// Pages of shared buffers that the execution looked at; planning not counted.
  [[nodiscard]] std::int64_t pages() const {
    return root.at("Shared Hit Blocks").get<std::int64_t>() +
           root.at("Shared Read Blocks").get<std::int64_t>();
  }
  void each(const std::function<void(const json&)>& look) const { walk(root, look); }

 private:
  static void walk(const json& node, const std::function<void(const json&)>& look) {
    look(node);
    if (!node.contains("Plans")) return;
    for (const auto& child : node.at("Plans")) walk(child, look);
  }
};

/// One session of a processor with all its statements prepared.
class Planner {
 public:
  /// `settings`: of each transaction.
  Planner(TestDatabase& db, store::Use use, std::string settings = {})
      : database_{db.options(), "test", use}, settings_{std::move(settings)} {
    for (const auto& statement : store::statements()) {
      database_.session().run_script(std::string{"PREPARE "} + statement.name + " AS " +
                                     statement.sql);
    }
  }

  /// Executes it twice, each time taking back what it did, and looks at the second one: the first
  /// also reads the catalogue.
  Plan plan(const std::string& name, const std::string& arguments) {
    Plan out;
    for (int i = 0; i < 2; ++i) {
      pqxx::work tx{database_.session().raw()};
      if (!settings_.empty()) tx.exec(settings_);
      const auto rows = tx.exec("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE " + name + "(" +
                                arguments + ")");
      tx.abort();
      out.root = json::parse(rows[0][0].c_str()).at(0).at("Plan");
    }
    return out;
  }

 private:
  store::Database database_;
  std::string settings_;
};

const std::string kStart = "'{NULL,NULL,NULL,NULL}', '{0,0,0,0}'";

struct Fixture {
  TestDatabase db;

  Fixture() { db.exec("ALTER TABLE outbox.jobs SET (autovacuum_enabled = false)"); }

  /// 40 due jobs, 2 suspects, 5 claims of a dead processor, one claim of processor 7.
  Held some_jobs() {
    db.exec(R"(
      INSERT INTO outbox.jobs (kind, priority) SELECT 'act', i % 4 FROM generate_series(1, 40) i;
      INSERT INTO outbox.jobs (kind, suspect, crashes) SELECT 'act', true, 1 FROM generate_series(1, 2);
      INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at, dead_reason)
        VALUES ('dead', '1', 3, 1, '{}', '{}', false, '10 s', now(), 'test');
      INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token)
        SELECT 'act', CASE i WHEN 6 THEN 7 ELSE 1 END, now(), 1 FROM generate_series(1, 6) i)");
    const auto get = [&](const std::string& column) {
      return db.value("SELECT " + column + " FROM outbox.jobs WHERE claimed_by = 7");
    };
    return {get("ctid"), get("id"), get("claim_token")};
  }

  /// The statements that touch jobs, with arguments, and the most pages that they may read. A claim
  /// of ten: about 15 to find them, one each to fetch and three each to update them. The others
  /// change one row, and up to three tables and their indexes.
  struct Call {
    std::string name, arguments;
    std::int64_t pages;
  };
  static std::vector<Call> claims() {
    return {
        {"claim", "'default', 7, " + kStart + ", '{act}', 10", 20 + 4 * 10},
        {"claim_suspect", "'default', 7, '{act}'", 15},
        {"suspect_waiting", "'default', '{act}'", 10},
        {"direct",
         "'default', 7, " + kStart +
             ", '{act}', '{SELECT 1}', '{NULL}', '{0}', '{1000}', '{2}', '{3600000}', '{0.1}', 10, "
             "true, '{}', '{}'",
         20 + 12 * 10},  // also seven a row for the history and its indexes
        {"next_due", "'default'", 20}};
  }
  static std::vector<Call> finishes(const Held& held) {
    const std::string fence = held.id + ", " + held.token + ", 7";
    return {{"retry", fence + ", 1000, 'x', 'error', '', 'x'", 25},
            {"snooze", fence + ", 1000", 25},
            {"bury", fence + ", 'attempts', 'x', 'error', '', 'x'", 25},
            {"release", "7, '{" + held.id + "}', '{" + held.token + "}'", 15},
            {"still_claimed", fence, 10}};
  }

  static void check(Planner& planner, const Call& call) {
    BOOST_TEST_CONTEXT(call.name) {
      const auto plan = planner.plan(call.name, call.arguments);
      std::set<std::string> scans;
      plan.each([&](const json& node) {
        const auto type = node.at("Node Type").get<std::string>();
        BOOST_TEST(type.find("Sort") == std::string::npos);
        if (node.value("Relation Name", "") == "jobs") scans.insert(type);
      });
      BOOST_TEST(scans.count("Seq Scan") == 0U);
      // What happens inside the function of the direct lane shows in the pages only.
      if (call.name != "direct" && call.name != "finish_job") BOOST_TEST(!scans.empty());
      BOOST_TEST(plan.pages() <= call.pages);
    }
  }

  void check_plans() {
    const auto held = some_jobs();
    Planner hot{db, store::Use::claims};
    for (const auto& call : claims()) check(hot, call);
    for (const auto& call : finishes(held)) check(hot, call);
    // A walk of the whole index, at most a tenth of the time: only its form is looked at.
    check(hot, {"rescue", "99, 3, 100", 100'000});
    check(hot, {"release_strays", "7, 'default', '{1,2,3}'", 100'000});
    // Finishes run on the handlers' sessions too, which have the server's settings.
    Planner plain{db, store::Use::handlers};
    for (const auto& call : finishes(held)) check(plain, call);
  }
};

}  // namespace

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
  db.exec(
      "INSERT INTO outbox.jobs (kind) SELECT 'act' FROM generate_series(1, 20000); DELETE FROM "
      "outbox.jobs");
  db.exec("ANALYZE outbox.jobs");
  check_plans();
}

BOOST_AUTO_TEST_CASE(plans_are_precise_beside_many_scheduled_jobs) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, priority, run_at) SELECT 'act', i % 4, now() + i * interval "
      "'1 s' + interval '1 h' "
      "FROM generate_series(1, 50000) i");
  db.exec("ANALYZE outbox.jobs");
  check_plans();
}

BOOST_AUTO_TEST_CASE(
    a_claim_from_the_cursor_stays_cheap_while_a_snapshot_pins_twenty_thousand_dead_rows) {
  const test::Transaction pin{
      db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM outbox.jobs"};
  db.exec("INSERT INTO outbox.jobs (kind) SELECT 'act' FROM generate_series(1, 20000)");
  const auto last =
      db.value("SELECT (extract(epoch FROM max(run_at)) * 1000000)::bigint FROM outbox.jobs");
  db.exec(
      "DELETE FROM outbox.jobs; INSERT INTO outbox.jobs (kind) SELECT 'act' FROM "
      "generate_series(1, 40)");
  db.exec("ANALYZE outbox.jobs");
  Planner hot{db, store::Use::claims};
  const auto pages = [&](const std::string& cursor) {
    return hot.plan("claim", "'default', 7, " + cursor + ", '{act}', 10").pages();
  };
  BOOST_TEST(pages("'{NULL," + last + ",NULL,NULL}', '{0,20000,0,0}'") <= 20 + 4 * 10);
  BOOST_TEST(pages(kStart) > 300);  // what the cursor saves: a sweep walks them all
}

BOOST_AUTO_TEST_SUITE_END()
