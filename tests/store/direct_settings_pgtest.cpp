// Under which role and settings a handler of the direct lane runs, and that neither reaches the
// next one.
#include <boost/test/unit_test.hpp>

#include "support/direct.hpp"

namespace direct_settings_pgtest {

using namespace outbox;
using namespace outbox::test;

}  // namespace direct_settings_pgtest

BOOST_FIXTURE_TEST_SUITE(direct_settings_pgtest, DirectFixture)

BOOST_AUTO_TEST_CASE(a_kind_runs_under_its_role_and_the_others_do_not) {
  const Role role{db, "clerk", "GRANT USAGE ON SCHEMA public TO PUBLIC; GRANT INSERT ON acts"};
  kinds = {kind("act", kAct, role.name), kind("own", kAct)};
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act'), ('own'), ('act'), ('own')");
  const auto got = run();
  BOOST_TEST(got.size() == 4U);
  BOOST_TEST(std::all_of(got.begin(), got.end(),
                         [](const auto& job) { return job.outcome == DirectOutcome::done; }));
  BOOST_TEST(db.value("SELECT string_agg(CASE role WHEN '" + role.name +
                      "' THEN 'clerk' ELSE role END, ' ' ORDER BY job) FROM acts") ==
             "clerk outbox_test_worker clerk outbox_test_worker");
}

BOOST_AUTO_TEST_CASE(what_a_role_may_not_do_fails_its_own_job_and_the_role_is_left_again) {
  const Role role{db, "clerk", "GRANT USAGE ON SCHEMA public TO PUBLIC; GRANT SELECT ON acts"};
  kinds = {kind("act", kAct, role.name), kind("own", kAct)};
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act'), ('own')");
  const auto got = run();
  BOOST_REQUIRE(got.size() == 2U);
  BOOST_TEST((got[0].outcome == DirectOutcome::retry));
  BOOST_TEST(got[0].sqlstate == "42501");
  BOOST_TEST((got[1].outcome == DirectOutcome::done));
  BOOST_TEST(db.value("SELECT role FROM acts") == "outbox_test_worker");
  const pg::Statement who{"who", "SELECT current_user"};
  BOOST_TEST(pg::text(database.session().run(who)[0][0]) == "outbox_test_worker");
}

BOOST_AUTO_TEST_CASE(after_a_kind_with_a_role_the_next_has_the_role_that_the_session_came_with) {
  const Role clerk{db, "clerk", "GRANT USAGE ON SCHEMA public TO PUBLIC; GRANT INSERT ON acts"};
  const Role runtime{db, "runtime",
                     "GRANT USAGE ON SCHEMA outbox TO PUBLIC; GRANT INSERT ON acts TO PUBLIC; "
                     "GRANT ALL ON ALL TABLES IN SCHEMA outbox"};
  db.exec("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA outbox TO " + runtime.name);
  auto options = db.options();
  options.url += (options.url.find('?') == std::string::npos ? "?" : "&") +
                 ("options=-c%20role%3D" + runtime.name);
  store::Database mine{options, "test", store::Use::claims};
  kinds = {kind("act", kAct, clerk.name), kind("own", kAct)};
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('own'), ('act'), ('own')");
  for (const auto& job : run_on(mine)) BOOST_TEST(job.error == "");
  BOOST_TEST(db.value("SELECT string_agg(split_part(role, '_', 5), ' ' ORDER BY job) FROM acts") ==
             "runtime clerk runtime");
  db.exec(
      "REVOKE USAGE ON SCHEMA outbox FROM PUBLIC; REVOKE ALL ON ALL FUNCTIONS IN SCHEMA outbox "
      "FROM " +
      runtime.name);
}

BOOST_AUTO_TEST_CASE(what_a_handler_sets_does_not_change_names_or_rights_of_the_next) {
  const Role clerk{db, "clerk", "GRANT INSERT ON acts"};
  kinds = {kind("sets", "SELECT set_config('search_path', 'nowhere', true), set_config('role', '" +
                            clerk.name + "', true)"),
           kind("act", kAct)};
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('sets'), ('act')");
  for (const auto& job : run()) BOOST_TEST(job.error == "");
  BOOST_TEST(db.number("SELECT count(*) FROM acts WHERE role <> '" + clerk.name + "'") == 1);
}

BOOST_AUTO_TEST_CASE(handlers_plan_with_the_servers_settings_and_the_session_keeps_its_own) {
  db.exec("ALTER DATABASE " + db.name() + " SET enable_sort = off");
  store::Database mine{db.options(), "test", store::Use::claims};
  kinds = {kind(
      "act",
      "INSERT INTO acts (job, note) VALUES ($2, concat_ws(' ', current_setting('enable_seqscan'), "
      "current_setting('enable_sort'), current_setting('enable_hashjoin'), "
      "current_setting('enable_mergejoin'), "
      "current_setting('enable_bitmapscan'), current_setting('enable_material'), "
      "current_setting('plan_cache_mode'), current_setting('jit')))")};
  jobs(2);
  BOOST_TEST(run_on(mine).size() == 2U);
  BOOST_TEST(db.value("SELECT string_agg(note, ', ') FROM acts") ==
             "on off on on on on auto on, on off on on on on auto on");
  const pg::Statement ours{
      "ours", "SELECT current_setting('enable_seqscan') || current_setting('plan_cache_mode')"};
  BOOST_TEST(pg::text(mine.session().run(ours)[0][0]) == "offforce_generic_plan");
}

BOOST_AUTO_TEST_SUITE_END()
