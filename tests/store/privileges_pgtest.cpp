// Which roles a processor may start as, and what it says to those that may too much or too little.
#include <functional>

#include <boost/test/unit_test.hpp>

#include "core/error.hpp"
#include "store/privileges.hpp"
#include "support/direct.hpp"

namespace privileges_pgtest {

using namespace outbox;
using test::Login;
using test::TestDatabase;

/// A migrated database of its own: these tests change who owns what.
struct Fixture {
  TestDatabase db;

  /// A session of a login that has taken another role, as pg_dump --role would.
  [[nodiscard]] core::DatabaseOptions with_role(const std::string& role,
                                                Login login = Login::worker) const {
    auto options = db.options(login);
    options.url += "&options=-c%20role%3D" + role;
    return options;
  }
  static store::Standing admitted(const core::DatabaseOptions& options) {
    store::Database database{options, "test", store::Use::people};
    return store::admit(database, options);
  }
  /// Code, message and hint of the refusal.
  static std::string refusal(const core::DatabaseOptions& options) {
    try {
      admitted(options);
    } catch (const core::Error& e) {
      return std::to_string(core::to_int(e.code())) + " " + e.what() + " hint: " + e.hint();
    }
    return "admitted";
  }
  static void check_says(const std::string& text, const std::string& part) {
    BOOST_TEST((text.find(part) != std::string::npos), "no '" + part + "' in: " + text);
  }
};

}  // namespace privileges_pgtest

BOOST_FIXTURE_TEST_SUITE(privileges_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_member_of_runtime_is_admitted) {
  const auto standing = admitted(db.options(Login::worker));
  BOOST_TEST(standing.role == "outbox_test_worker");
  BOOST_TEST(standing.excess == "");
}

BOOST_AUTO_TEST_CASE(a_superuser_is_refused_with_the_way_out) {
  const auto text = refusal(db.options(Login::superuser));
  check_says(text, "78 the processor would work as role 'postgres', a superuser");
  check_says(text, "expected a login role that is a member of outbox_runtime");
  check_says(text, "CREATE ROLE app_worker LOGIN");
  check_says(text, "GRANT outbox_runtime TO app_worker");
  check_says(text, "database.allow_privileged_role: true");
}

BOOST_AUTO_TEST_CASE(the_owner_and_those_with_its_rights_are_refused) {
  check_says(refusal(with_role("outbox_owner", Login::migrator)),
             "78 the processor would work as role 'outbox_owner', the owner of schema outbox");
  check_says(refusal(db.options(Login::migrator)),
             "role 'outbox_test_migrator', a member of outbox_owner, the owner of schema outbox");
}

BOOST_AUTO_TEST_CASE(the_owner_of_a_table_is_as_good_as_that_of_the_schema) {
  const test::Role clerk{db, "clerk", "GRANT outbox_runtime"};
  db.exec("ALTER TABLE outbox.queues OWNER TO " + clerk.name);
  check_says(refusal(with_role(clerk.name)), ", the owner of table outbox.queues");
  check_says(refusal(db.options(Login::worker)), "a member of " + clerk.name);
  db.exec("ALTER TABLE outbox.queues OWNER TO outbox_owner");
}

BOOST_AUTO_TEST_CASE(the_role_in_effect_counts_and_not_the_login) {
  const test::Role clerk{db, "clerk", "GRANT outbox_runtime"};
  BOOST_TEST(admitted(with_role(clerk.name, Login::superuser)).role == clerk.name);
}

BOOST_AUTO_TEST_CASE(whoever_may_too_much_is_admitted_when_the_configuration_says_so) {
  for (const auto login : {Login::superuser, Login::migrator}) {
    auto options = db.options(login);
    options.allow_privileged_role = true;
    BOOST_TEST(admitted(options).excess != "");
  }
}

BOOST_AUTO_TEST_CASE(what_a_role_lacks_is_told_before_it_fails) {
  const test::Role plain{db, "plain", "GRANT outbox_runtime"};
  db.exec("REVOKE outbox_runtime FROM " + plain.name);
  const auto text = refusal(with_role(plain.name));
  check_says(text, "78 role '" + plain.name +
                       "' lacks rights that a processor needs: USAGE on "
                       "schema outbox; DELETE, INSERT on outbox.dead_jobs");
  check_says(text, "EXECUTE on function outbox.run_group");
  check_says(text, "SELECT outbox.grant_roles()");
  check_says(refusal(db.options(Login::app)), "78 role 'outbox_test_app' lacks");
}

BOOST_AUTO_TEST_CASE(grants_that_somebody_took_away_are_named) {
  db.exec(
      "REVOKE DELETE ON outbox.processors FROM outbox_runtime; "
      "REVOKE TRUNCATE ON outbox.finished_jobs_00 FROM outbox_runtime");
  check_says(refusal(db.options(Login::worker)),
             "needs: TRUNCATE on outbox.finished_jobs_00; DELETE on outbox.processors; expected");
  db.exec("SELECT outbox.grant_roles()");
  BOOST_TEST(refusal(db.options(Login::worker)) == "admitted");
}

BOOST_AUTO_TEST_CASE(a_schema_that_has_no_grants_yet_asks_for_migration) {
  db.exec("DROP FUNCTION outbox.grant_roles(); REVOKE USAGE ON SCHEMA outbox FROM outbox_runtime");
  check_says(refusal(db.options(Login::worker)), "3 the schema is older than version ");
  db.exec("DROP SCHEMA outbox CASCADE; CREATE SCHEMA outbox");
  check_says(refusal(db.options(Login::worker)), "3 the database has no outboxd schema");
  check_says(refusal(db.options(Login::superuser)), "3 the database has no outboxd schema");
}

BOOST_AUTO_TEST_SUITE_END()
