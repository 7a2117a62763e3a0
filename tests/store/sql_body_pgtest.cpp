// Handlers that are functions, called by number: planned once for a connection, and otherwise as
// if they ran by their text.
#include <array>

#include "store/claim.hpp"
#include "store/run.hpp"
#include "store/sql_body.hpp"
#include "support/direct.hpp"

namespace sql_body_pgtest {

using namespace outbox;
using namespace outbox::test;

struct Fixture : DirectFixture {
  Fixture() {
    db.exec(
        R"(CREATE FUNCTION act(payload jsonb, job bigint, attempt int, headers jsonb) RETURNS void LANGUAGE plpgsql AS $$
               BEGIN INSERT INTO public.acts (job, note, role) VALUES (job, 'act', current_user); END $$;
               CREATE FUNCTION other(payload jsonb, job bigint) RETURNS SETOF int LANGUAGE plpgsql AS $$
               BEGIN INSERT INTO public.acts (job, note) VALUES (job, 'other'); RETURN NEXT 1; RETURN NEXT 2; END $$)");
    kinds = {function("act", "SELECT public.act($1, $2, $3, $4)")};
    number();
  }
  static store::DirectKind function(const std::string& name, const std::string& statement,
                                    store::SqlForm form = store::SqlForm::scalar) {
    auto out = kind(name, statement);
    out.body.form = form;
    return out;
  }
  void number() {
    std::vector<store::SqlBody*> bodies;
    bodies.reserve(kinds.size());
    for (auto& each : kinds) bodies.push_back(&each.body);
    store::number_calls(bodies);
  }
  /// Whether this session has the function that calls by number.
  bool made(store::Database& in) {
    constexpr pg::Statement kMade{"test_made",
                                  "SELECT to_regproc('pg_temp.outbox_call') IS NOT NULL"};
    return in.session().run(kMade)[0][0].as<bool>();
  }
  std::string notes() { return db.value("SELECT string_agg(note, ' ' ORDER BY job) FROM acts"); }
};

/// What an emptied database would keep.
struct AtEnd {
  TestDatabase& db;
  std::string sql;
  AtEnd(TestDatabase& database, const std::string& now, std::string then)
      : db{database}, sql{std::move(then)} {
    db.exec(now);
  }
  ~AtEnd() { db.exec(sql); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
};

}  // namespace sql_body_pgtest

BOOST_FIXTURE_TEST_SUITE(sql_body_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(each_function_of_many_kinds_is_called_by_its_number) {
  for (int i = 0; i < 9; ++i) {
    const auto name = "kind" + std::to_string(i);
    db.exec("CREATE FUNCTION " + name +
            "(payload jsonb, job bigint) RETURNS void LANGUAGE sql AS "
            "$$ INSERT INTO public.acts (job, note) VALUES (job, '" +
            name + "') $$");
    kinds.push_back(function(name, "SELECT public." + name + "($1, $2)"));
    db.exec("INSERT INTO outbox.jobs (kind) VALUES ('" + name + "')");
  }
  kinds.push_back(kind("text", "INSERT INTO acts (job, note) VALUES ($2, 'text')"));
  kinds.push_back(function("other", "SELECT public.other($1, $2)", store::SqlForm::function));
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('text'), ('other'), ('act')");
  number();
  request.most = 20;
  BOOST_TEST(run().size() == 12U);
  BOOST_TEST(notes() == "kind0 kind1 kind2 kind3 kind4 kind5 kind6 kind7 kind8 text other act");
  BOOST_TEST(made(database));
  BOOST_TEST(finished() == 12);
}

BOOST_AUTO_TEST_CASE(a_claimed_job_is_called_by_number_too) {
  store::Database runner{db.options(), "test", store::Use::handlers};
  jobs(1);
  const auto claimed =
      store::claim(database, {.processor = 7, .queue = "default", .kinds = {"act"}, .most = 1},
                   From::start, cursor);
  BOOST_REQUIRE(claimed.size() == 1U);
  const store::RunRequest run_request{
      .processor = 7, .history = true, .timeout = std::chrono::seconds{5}};
  BOOST_TEST(std::holds_alternative<store::RanDone>(
      store::run(runner, run_request, claimed[0], kinds[0].body)));
  BOOST_TEST(notes() == "act");
  BOOST_TEST(made(runner));
}

BOOST_AUTO_TEST_CASE(what_a_function_raises_means_the_same) {
  db.exec(
      R"(CREATE OR REPLACE FUNCTION act(payload jsonb, job bigint, attempt int, headers jsonb) RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
               INSERT INTO public.acts (job) VALUES (job);
               CASE job WHEN 1 THEN PERFORM outbox.snooze('1 h'); WHEN 2 THEN PERFORM outbox.discard('no'); ELSE PERFORM 1 / 0; END CASE;
             END $$)");
  jobs(3);
  const auto got = run();
  BOOST_REQUIRE(got.size() == 3U);
  BOOST_TEST((got[0].outcome == DirectOutcome::snooze));
  BOOST_TEST(got[1].reason == "discarded");
  BOOST_TEST(got[2].sqlstate == "22012");
  BOOST_TEST(acts() == 0);
}

BOOST_AUTO_TEST_CASE(a_function_that_is_replaced_is_called_in_its_new_form) {
  jobs(1);
  BOOST_TEST(run().size() == 1U);
  db.exec("DROP FUNCTION act");
  jobs(1);
  BOOST_TEST(run().at(0).sqlstate == "42883");
  db.exec(
      "CREATE FUNCTION act(payload jsonb, job bigint, attempt int, headers jsonb) RETURNS SETOF "
      "bigint LANGUAGE sql AS $$ INSERT INTO acts (job, note) VALUES (job, 'new') RETURNING job "
      "$$");
  make_due();
  BOOST_TEST((run().at(0).outcome == DirectOutcome::done));
  BOOST_TEST(notes() == "act new");
}

BOOST_AUTO_TEST_CASE(a_handlers_role_may_call_it_whatever_the_default_privileges) {
  const Role role{db, "caller", "GRANT USAGE ON SCHEMA public TO PUBLIC; GRANT INSERT ON acts"};
  const AtEnd granting{db, "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
                       "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC"};
  kinds[0].body.role = role.name;
  jobs(1);
  BOOST_TEST((run().at(0).outcome == DirectOutcome::done));
  BOOST_TEST(made(database));
  BOOST_TEST(db.value("SELECT role FROM acts") == role.name);
}

BOOST_AUTO_TEST_CASE(when_it_is_gone_handlers_run_by_their_text) {
  jobs(1);
  BOOST_TEST(run().size() == 1U);
  database.session().run_script("DISCARD TEMP");
  BOOST_TEST(!made(database));
  jobs(2);
  const auto got = run();
  BOOST_REQUIRE(got.size() == 2U);
  BOOST_TEST((got[1].outcome == DirectOutcome::done));
  BOOST_TEST(notes() == "act act act");
}

BOOST_AUTO_TEST_CASE(without_the_privilege_handlers_run_by_their_text) {
  const Role role{db, "plain", "GRANT USAGE ON SCHEMA public TO PUBLIC; GRANT ALL ON acts"};
  const AtEnd granting{db, "REVOKE TEMP ON DATABASE " + db.name() + " FROM PUBLIC",
                       "GRANT TEMP ON DATABASE " + db.name() + " TO PUBLIC"};
  db.exec("ALTER ROLE " + role.name + " LOGIN; GRANT USAGE ON SCHEMA outbox TO " + role.name +
          "; GRANT ALL ON ALL TABLES IN SCHEMA outbox TO " + role.name +
          "; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA outbox TO " + role.name);
  auto options = db.options();
  options.url += "&user=" + role.name;  // the last one counts
  store::Database plain{options, "test", store::Use::claims};
  jobs(1);
  BOOST_TEST((run_on(plain).at(0).outcome == DirectOutcome::done));
  BOOST_TEST(!made(plain));
  BOOST_TEST(db.value("SELECT role FROM acts") == role.name);
}

BOOST_AUTO_TEST_SUITE_END()
