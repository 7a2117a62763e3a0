// The session: its settings, its transactions, and that a lost connection stays lost.
#include <atomic>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "pg/session.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"

namespace session_pgtest {

using namespace outbox;
using core::DbError;
using core::Fault;
using test::TestDatabase;
using namespace std::chrono_literals;

constexpr pg::Statement kSetting{"test_setting", "SELECT current_setting($1)"};
constexpr pg::Statement kInsert{"test_insert", "INSERT INTO t VALUES ($1::int)"};
constexpr pg::Statement kRead{"test_read", "SELECT n FROM t"};

struct Fixture {
  TestDatabase db{test::Schema::empty};
  pg::ConnectSpec spec{.url = db.url(), .application_name = "session test"};

  Fixture() { db.exec("CREATE TABLE t (n int)"); }
  std::int64_t rows() { return db.number("SELECT count(*) FROM t"); }
  std::string setting(pg::Session& session, const std::string& name) {
    return pg::text(session.run(kSetting, name)[0][0]);
  }
  void terminate(pg::Session& session) {
    BOOST_TEST(db.value("SELECT pg_terminate_backend(" + std::to_string(session.backend_pid()) +
                        ", 10000)") == "t");
  }
};

template <class F>
Fault fault_of(F call) {
  try {
    call();
  } catch (const DbError& e) {
    return e.fault();
  }
  throw std::logic_error{"nothing was thrown"};
}

}  // namespace session_pgtest

BOOST_FIXTURE_TEST_SUITE(session_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(parameters_are_added_in_the_form_of_the_url_and_never_over_the_users_own) {
  using Parameters = std::map<std::string, std::string>;
  const Parameters one{{"connect_timeout", "5"}};
  BOOST_TEST(pg::with_parameters("postgresql://h/d", one) == "postgresql://h/d?connect_timeout=5");
  BOOST_TEST(pg::with_parameters("postgres://h/d?sslmode=require", one) ==
             "postgres://h/d?sslmode=require&connect_timeout=5");
  BOOST_TEST(pg::with_parameters("postgres://h/d?connect_timeout=9", one) ==
             "postgres://h/d?connect_timeout=9");
  BOOST_TEST(pg::with_parameters("host=h", one) == "host=h connect_timeout='5'");
  BOOST_TEST(pg::with_parameters("host=h connect_timeout = 9", one) ==
             "host=h connect_timeout = 9");
  BOOST_TEST(pg::with_parameters("host=h password='connect_timeout=9'", one) ==
             "host=h password='connect_timeout=9' connect_timeout='5'");
  BOOST_TEST(pg::with_parameters("host=h", Parameters{{"application_name", R"(it's \)"}}) ==
             R"(host=h application_name='it\'s \\')");
  BOOST_TEST(pg::with_parameters("postgres://h", Parameters{{"application_name", "a b&c"}}) ==
             "postgres://h?application_name=a%20b%26c");
}

BOOST_AUTO_TEST_CASE(a_hot_session_holds_its_plans_fixed_and_a_plain_one_has_the_servers_settings) {
  spec.statement_timeout = std::chrono::milliseconds{1'234};
  pg::Session plain{spec};
  BOOST_TEST(setting(plain, "enable_seqscan") == "on");
  BOOST_TEST(setting(plain, "plan_cache_mode") == "auto");
  BOOST_TEST(setting(plain, "statement_timeout") == "1234ms");
  BOOST_TEST(setting(plain, "client_encoding") == "UTF8");
  BOOST_TEST(!plain.pooled());
  BOOST_TEST(db.value("SELECT application_name FROM pg_stat_activity WHERE pid = " +
                      std::to_string(plain.backend_pid())) == "session test");
  spec.purpose = pg::Purpose::hot;
  pg::Session hot{spec};
  for (const char* name : {"enable_seqscan", "enable_sort", "enable_bitmapscan", "enable_hashjoin",
                           "enable_mergejoin", "enable_material", "jit"}) {
    BOOST_TEST_CONTEXT(name) { BOOST_TEST(setting(hot, name) == "off"); }
  }
  BOOST_TEST(setting(hot, "plan_cache_mode") == "force_generic_plan");
}

BOOST_AUTO_TEST_CASE(a_transaction_commits_or_leaves_nothing) {
  pg::Session session{spec};
  session.transact([&](pqxx::work& tx) { session.call(tx, kInsert, 1); });
  BOOST_TEST(rows() == 1);
  BOOST_CHECK_THROW(session.transact([&](pqxx::work& tx) {
    session.call(tx, kInsert, 2);
    throw std::runtime_error{"mine"};
  }),
                    std::runtime_error);
  BOOST_TEST(rows() == 1);
  BOOST_TEST((fault_of([&] {
                session.transact([&](pqxx::work& tx) {
                  session.call(tx, kInsert, 3);
                  tx.exec("SELECT 1/0");
                });
              }) == Fault::rejected));
  BOOST_TEST(rows() == 1);
  session.run(kInsert, 4);
  BOOST_TEST(rows() == 2);
}

BOOST_AUTO_TEST_CASE(a_lost_connection_stays_lost_and_stores_nothing_more) {
  pg::Session session{spec};
  session.run(kInsert, 1);
  terminate(session);
  for (int i = 0; i < 6; ++i) {  // libpqxx 6.4 would reconnect at the third or so
    BOOST_TEST_CONTEXT("call " << i) {
      BOOST_TEST((fault_of([&] { session.run(kInsert, 2); }) == Fault::outage));
    }
  }
  BOOST_TEST(rows() == 1);
}

BOOST_AUTO_TEST_CASE(a_connection_lost_inside_a_transaction_takes_all_of_it_along) {
  pg::Session session{spec};
  BOOST_TEST((fault_of([&] {
                session.transact([&](pqxx::work& tx) {
                  session.call(tx, kInsert, 1);
                  terminate(session);
                  for (int i = 0; i < 6; ++i) {
                    try {  // what a handler should not do
                      session.call(tx, kInsert, 2);
                    } catch (const std::exception&) {
                      continue;
                    }
                  }
                });
              }) != Fault::rejected));
  BOOST_TEST(rows() == 0);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there_or_read_only_is_an_outage) {
  BOOST_TEST((fault_of([&] {
                pg::ConnectSpec nowhere{.url = "host=127.0.0.1 port=1 user=x dbname=y",
                                        .application_name = "x"};
                pg::Session session{nowhere};
              }) == Fault::outage));
  db.exec("ALTER DATABASE " + db.name() + " SET default_transaction_read_only = on");
  const auto fault = fault_of([&] { pg::Session session{spec}; });
  db.exec("ALTER DATABASE " + db.name() + " RESET default_transaction_read_only");
  BOOST_TEST((fault == Fault::outage));
}

BOOST_AUTO_TEST_CASE(a_session_that_lost_its_prepared_statements_asks_to_be_replaced) {
  pg::Session session{spec};
  session.run(kInsert, 1);
  session.run_script("DEALLOCATE ALL");
  // Trying again on this session would fail for ever: the name is thought to be there.
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST((fault_of([&] { session.run(kInsert, 2); }) == Fault::outage));
  }
  pg::Session fresh{spec};
  fresh.run(kInsert, 2);
  BOOST_TEST(rows() == 2);
}

BOOST_AUTO_TEST_CASE(a_session_whose_plan_no_longer_fits_the_table_asks_to_be_replaced) {
  pg::Session session{spec};
  session.run(kRead);
  db.exec("ALTER TABLE t ALTER n TYPE bigint");
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST((fault_of([&] { session.run(kRead); }) == Fault::outage));
  }
  pg::Session fresh{spec};
  BOOST_TEST(pg::count(fresh.run(kRead)) == 0U);
}

BOOST_AUTO_TEST_CASE(faults_of_the_server_arrive_with_their_sqlstate) {
  pg::Session session{spec};
  const auto state_of = [&](const char* sql) {
    try {
      session.run_script(sql);
    } catch (const DbError& e) {
      return e.sqlstate() + " " + to_text(e.fault());
    }
    return std::string{"nothing"};
  };
  BOOST_TEST(state_of("SET statement_timeout = 10; SELECT pg_sleep(5)") == "57014 canceled");
  BOOST_TEST(state_of("SELECT * FROM no_such_table") == "42P01 rejected");
  BOOST_TEST(state_of("SELEC 1") == "42601 rejected");
  BOOST_TEST(state_of("DO $$ BEGIN RAISE USING ERRCODE = '40001'; END $$") == "40001 conflict");
  BOOST_TEST(state_of("DO $$ BEGIN RAISE USING ERRCODE = '53100'; END $$") == "53100 outage");
  BOOST_TEST(state_of("DO $$ BEGIN RAISE USING ERRCODE = '42501'; END $$") == "42501 rejected");
  const test::Transaction other{db, "LOCK TABLE t"};
  BOOST_TEST(state_of("DO $$ BEGIN LOCK TABLE t NOWAIT; END $$") == "55P03 busy");
}

BOOST_AUTO_TEST_CASE(a_notification_is_taken_once_and_a_lost_connection_is_noticed) {
  pg::Session session{spec};
  BOOST_TEST(!session.take_notifications());
  session.listen("bell");
  BOOST_TEST(!session.take_notifications());
  db.exec("NOTIFY bell");
  BOOST_TEST(
      test::eventually(test::kPatience, [&] { return session.take_notifications().has_value(); }));
  BOOST_TEST(!session.take_notifications());
  session.listen("bell", {"fire", "flood", "storm"});
  db.exec("NOTIFY bell, 'fire'; NOTIFY bell, 'anything'; NOTIFY bell; NOTIFY bell, 'storm'");
  std::optional<pg::Session::Words> words;
  BOOST_TEST_REQUIRE(test::eventually(test::kPatience, [&] {
    words = session.take_notifications();
    return words.has_value();
  }));
  BOOST_TEST((*words == pg::Session::Words{"fire", "storm"}));
  session.run_script("NOTIFY bell");  // its own does not count
  db.exec("SELECT 1");
  BOOST_TEST(!session.take_notifications());
  terminate(session);
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(test::eventually(test::kPatience,
                                         [&] { return session.take_notifications().has_value(); })),
      DbError, [](const DbError& e) { return e.session_lost(); });
}

// As a process does that is paused between two statements: its locks must go.
BOOST_AUTO_TEST_CASE(a_transaction_that_stands_still_is_ended_with_its_session) {
  pg::Session session{spec};
  BOOST_TEST(setting(session, "idle_in_transaction_session_timeout") == "5s");
  session.run_script("SET idle_in_transaction_session_timeout = '50ms'");
  try {
    session.transact([&](pqxx::work& tx) {
      session.call(tx, kInsert, 1);
      BOOST_TEST(test::eventually(5s, [&] {
        return db.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " +
                         std::to_string(session.backend_pid())) == 0;
      }));
      session.call(tx, kInsert, 2);
    });
    BOOST_ERROR("it could go on");
  } catch (const DbError& e) {
    BOOST_TEST(e.connection_lost());
    BOOST_TEST((e.fault() != Fault::in_doubt));
  }
  BOOST_TEST(rows() == 0);
}

BOOST_AUTO_TEST_CASE(the_server_ends_the_statement_of_a_client_that_is_gone) {
  pg::Session session{spec};
  BOOST_TEST(setting(session, "client_connection_check_interval") == "1s");
  const auto pid = std::to_string(session.backend_pid());
  const auto runs = [&](const std::string& what) {
    return db.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid + what) == 1;
  };
  std::atomic<bool> thrown{false};  // Boost.Test's checks are not for other threads
  std::jthread lost{[&] {
    try {
      session.run_script("SET statement_timeout = 0; SELECT pg_sleep(60)");
    } catch (const DbError&) {
      thrown = true;
    }
  }};
  BOOST_TEST(test::eventually(5s, [&] { return runs(" AND wait_event = 'PgSleep'"); }));
  ::shutdown(session.socket(), SHUT_RDWR);
  BOOST_TEST(test::eventually(10s, [&] { return !runs("") && thrown; }));
}

BOOST_AUTO_TEST_SUITE_END()
