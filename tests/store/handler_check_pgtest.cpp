// The look at sql handlers before any job runs: what they resolve to, and every way to be wrong.
#include <boost/test/unit_test.hpp>

#include "store/handler_check.hpp"
#include "support/direct.hpp"
#include "support/emptied.hpp"

namespace handler_check_pgtest {

using namespace outbox;
using test::TestDatabase;

using Kinds = std::map<std::string, core::KindOptions>;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::people};
  Kinds kinds;

  void statement(const std::string& kind, const std::string& sql, const std::string& role = {}) {
    kinds[kind].sql = core::SqlHandler{.statement = sql, .function = {}, .role = role};
  }
  void function(const std::string& kind, const std::string& name, const std::string& role = {}) {
    kinds[kind].sql = core::SqlHandler{.statement = {}, .function = name, .role = role};
  }
  store::CheckedHandlers check() { return store::check_handlers(database, kinds); }
  /// The one error of the one kind.
  std::string error() {
    const auto checked = check();
    BOOST_REQUIRE(checked.errors.size() == 1U);
    BOOST_TEST(checked.bodies.empty());
    return checked.errors[0];
  }
  bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
};

}  // namespace handler_check_pgtest

BOOST_FIXTURE_TEST_SUITE(handler_check_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_statement_stays_as_it_is_and_kinds_without_sql_are_not_looked_at) {
  statement("a", "SELECT $1, $2, $3, $4;");
  statement("b", "SELECT 1 -- with a comment");
  kinds["cpp"] = {};
  const auto checked = check();
  BOOST_TEST(checked.errors.empty());
  BOOST_TEST(checked.bodies.size() == 2U);
  BOOST_TEST(checked.bodies.at("a").statement == "SELECT $1, $2, $3, $4;");
}

BOOST_AUTO_TEST_CASE(the_longest_signature_of_a_function_is_taken) {
  db.exec(R"(CREATE SCHEMA app; CREATE SCHEMA "My App";
    CREATE FUNCTION app.one(jsonb) RETURNS void LANGUAGE sql AS '';
    CREATE FUNCTION app.two(jsonb) RETURNS void LANGUAGE sql AS '';
    CREATE FUNCTION app.two(jsonb, bigint) RETURNS void LANGUAGE sql AS '';
    CREATE FUNCTION app.three(jsonb, bigint, integer) RETURNS void LANGUAGE sql AS '';
    CREATE FUNCTION app.three(text, bigint, integer, jsonb) RETURNS void LANGUAGE sql AS '';
    CREATE FUNCTION "My App"."Four"(jsonb, bigint, integer, jsonb) RETURNS void LANGUAGE sql AS '')");
  function("one", "app.one");
  function("two", "app.two");
  function("three", "app.three");
  function("four", R"("My App"."Four")");
  const auto checked = check();
  db.exec(R"(DROP SCHEMA app CASCADE; DROP SCHEMA "My App" CASCADE)");
  BOOST_TEST(checked.errors.empty());
  BOOST_TEST(checked.bodies.at("one").statement == "SELECT app.one($1)");
  BOOST_TEST(checked.bodies.at("two").statement == "SELECT app.two($1, $2)");
  BOOST_TEST(checked.bodies.at("three").statement == "SELECT app.three($1, $2, $3)");
  BOOST_TEST(checked.bodies.at("four").statement == R"(SELECT "My App"."Four"($1, $2, $3, $4))");
}

BOOST_AUTO_TEST_CASE(a_function_found_through_the_search_path_is_pinned_to_its_schema) {
  db.exec("CREATE FUNCTION act(jsonb) RETURNS void LANGUAGE sql AS ''");
  function("a", "act");
  BOOST_TEST(check().bodies.at("a").statement == "SELECT public.act($1)");
}

BOOST_AUTO_TEST_CASE(a_function_that_is_not_there_or_has_no_usable_name_is_told) {
  db.exec("CREATE FUNCTION act(text) RETURNS void LANGUAGE sql AS ''");
  for (const std::string name :
       {"act", "app.missing", "nowhere.at.all.ever", "two words", "\"open", "act(jsonb)", ""}) {
    if (name.empty()) continue;  // means: a statement is given
    BOOST_TEST_CONTEXT(name) {
      function("a", name);
      BOOST_TEST(has(error(), "kind a: there is no function " + name + "(jsonb"));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_procedure_cannot_be_a_handler) {
  db.exec("CREATE PROCEDURE act(jsonb) LANGUAGE sql AS ''");
  function("a", "act");
  BOOST_TEST(has(error(), "is a procedure"));
}

BOOST_AUTO_TEST_CASE(a_statement_that_is_wrong_is_told_with_the_servers_words) {
  const std::pair<const char*, const char*> table[]{
      {"SELEC 1", "syntax error"},
      {"SELECT * FROM nowhere", "relation \"nowhere\" does not exist"},
      {"SELECT $5::text", "there is no parameter $5"},
      {"SELECT $1 + 1", "operator does not exist"},
      {"", "syntax error"},
  };
  for (const auto& [sql, words] : table) {
    BOOST_TEST_CONTEXT(sql) {
      statement("a", sql);
      const auto text = error();
      BOOST_TEST_INFO(text);
      BOOST_TEST(has(text, words));
      BOOST_TEST(!has(text, "\n"));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_function_returns_decides_how_it_can_be_called) {
  db.exec(R"(CREATE TYPE pair AS (a int, b int);
             CREATE FUNCTION nothing(jsonb) RETURNS void LANGUAGE sql AS '';
             CREATE FUNCTION number(jsonb) RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION numbers(jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION pairs(jsonb) RETURNS pair LANGUAGE sql AS 'SELECT 1, 2')");
  for (const auto* name : {"nothing", "number", "numbers", "pairs"}) function(name, name);
  statement("text", "SELECT 1");
  const auto checked = check();
  BOOST_TEST(checked.errors.empty());
  const auto form = [&](const char* kind) { return checked.bodies.at(kind).form; };
  BOOST_TEST((form("nothing") == store::SqlForm::scalar));
  BOOST_TEST((form("number") == store::SqlForm::scalar));
  BOOST_TEST((form("numbers") == store::SqlForm::function));
  BOOST_TEST((form("pairs") == store::SqlForm::function));
  BOOST_TEST((form("text") == store::SqlForm::statement));
}

BOOST_AUTO_TEST_CASE(two_statements_are_refused_and_the_second_is_not_executed) {
  db.exec("CREATE TABLE precious (n int); CREATE TABLE stays (n int)");
  for (const std::string sql : {"SELECT 1; DROP TABLE precious",
                                "INSERT INTO stays VALUES (1); INSERT INTO stays VALUES (2)"}) {
    BOOST_TEST_CONTEXT(sql) {
      statement("a", sql);
      BOOST_TEST(has(error(), "multiple commands"));
    }
  }
  BOOST_TEST(db.number("SELECT count(*) FROM stays") == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM pg_class WHERE relname = 'precious'") == 1);
}

BOOST_AUTO_TEST_CASE(a_role_must_be_there_and_be_ours_to_use) {
  statement("a", "SELECT 1", "no_such_role");
  BOOST_TEST(has(error(), "may not use the role no_such_role"));
  db.exec("CREATE TABLE acts (job bigint)");
  const test::Role clerk{db, "clerk", "GRANT INSERT ON acts"};
  statement("a", "SELECT 1", clerk.name);
  BOOST_TEST(check().errors.empty());
  // A session without the membership.
  const test::Role plain{db, "plain", "GRANT INSERT ON acts"};
  auto options = db.options();
  options.url += "&options=-c%20role%3D" + plain.name;
  store::Database without{options, "test", store::Use::people};
  const auto checked = store::check_handlers(without, kinds);
  BOOST_REQUIRE(checked.errors.size() == 1U);
  BOOST_TEST(has(checked.errors[0], "may not use the role " + clerk.name));
}

BOOST_AUTO_TEST_CASE(all_errors_are_told_at_once_and_the_good_ones_are_kept) {
  statement("bad syntax", "SELEC 1");
  statement("good", "SELECT 1");
  function("no function", "missing");
  function("no name", "two words");
  statement("no role", "SELECT 1", "no_such_role");
  statement("two", "SELECT 1; SELECT 2");
  const auto checked = check();
  BOOST_TEST(checked.errors.size() == 5U);
  BOOST_TEST(checked.bodies.size() == 1U);
  BOOST_TEST(checked.bodies.count("good") == 1U);
  // And the session is as it was: the check can be run again.
  BOOST_TEST(check().errors.size() == 5U);
}

BOOST_AUTO_TEST_CASE(what_it_resolves_runs) {
  db.exec(
      "CREATE TABLE acts (job bigint); CREATE FUNCTION act(jsonb, bigint) RETURNS void LANGUAGE "
      "sql AS 'INSERT INTO acts VALUES ($2)'");
  function("act", "act");
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act')");
  store::DirectKind kind;
  kind.kind = "act";
  kind.body = check().bodies.at("act");
  store::Database claims{db.options(), "test", store::Use::claims};
  store::Cursor cursor;
  const auto ran =
      store::run_group(claims, {.processor = 7, .queue = "default", .most = 1, .history = true},
                       store::DirectKinds{{kind}}, store::From::start, cursor);
  BOOST_REQUIRE(ran.size() == 1U);
  BOOST_TEST((ran[0].outcome == store::DirectOutcome::done));
  BOOST_TEST(db.number("SELECT job FROM acts") == 1);
}

BOOST_AUTO_TEST_SUITE_END()
