// One claimed job in one transaction: what commits together, and what each way of going wrong
// means.
#include <functional>
#include <limits>
#include <stdexcept>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "pg/session.hpp"
#include "store/claim.hpp"
#include "store/finish.hpp"
#include "store/run.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace run_pgtest {

using namespace outbox;
using core::DbError;
using core::Fault;
using store::Claimed;
using store::Ran;
using store::RanDone;
using store::RanStale;
using store::RanUndone;
using test::TestDatabase;
using Tx = pqxx::transaction_base;

constexpr int kProcessor = 7;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::handlers};
  store::Database claims{db.options(), "test", store::Use::claims};
  store::RunRequest request{
      .processor = kProcessor, .history = true, .timeout = std::chrono::seconds{30}};

  Fixture() { db.exec("CREATE TABLE acts (note text UNIQUE)"); }

  Claimed claimed_job(const std::string& payload = "{}") {
    db.exec("INSERT INTO outbox.jobs (kind, payload, unique_key) VALUES ('act', '" + payload +
            "', 'u')");
    store::Cursor cursor;
    auto got = store::claim(
        claims, {.processor = kProcessor, .queue = "default", .kinds = {"act"}, .most = 1},
        store::From::start, cursor);
    BOOST_REQUIRE(got.size() == 1U);
    return got[0];
  }
  Ran run(const Claimed& claimed, const std::function<Outcome(Tx&)>& body) {
    return store::run(database, request, claimed, store::Body{body});
  }
  Ran run_sql(const Claimed& claimed, const std::string& statement, const std::string& role = {}) {
    return store::run(database, request, claimed, store::SqlBody{statement, role});
  }
  Fault fault_of_run(const Claimed& claimed, const std::function<Outcome(Tx&)>& body) {
    try {
      static_cast<void>(run(claimed, body));
    } catch (const DbError& e) {
      return e.fault();
    }
    throw std::logic_error{"nothing was thrown"};
  }
  std::int64_t acts() { return db.number("SELECT count(*) FROM acts"); }
  std::int64_t finished() { return db.number("SELECT count(*) FROM outbox.finished_jobs"); }
  /// The job is claimed as before, as if nobody had run it.
  bool untouched(const Claimed& claimed) {
    return acts() == 0 && finished() == 0 && store::still_claimed(claims, kProcessor, claimed);
  }
};

Outcome act(Tx& tx) {
  tx.exec("INSERT INTO acts VALUES ('done')");
  return Done{};
}

const RanUndone& undone(const Ran& ran) {
  BOOST_REQUIRE(std::holds_alternative<RanUndone>(ran));
  return std::get<RanUndone>(ran);
}
std::string why(const RanUndone& ran) {
  BOOST_REQUIRE(std::holds_alternative<Retry>(ran.outcome));
  return std::get<Retry>(ran.outcome).why;
}

}  // namespace run_pgtest

BOOST_FIXTURE_TEST_SUITE(run_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(writes_finish_and_history_commit_together) {
  const auto job = claimed_job(R"({"n": 1})");
  BOOST_TEST(std::holds_alternative<RanDone>(run(job, act)));
  BOOST_TEST(acts() == 1);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, priority, attempt, crashes, processor_id, queue, "
                      "kind, unique_key, payload, headers IS NULL,"
                      " slot = outbox.day_slot(finished_at), created_at <= started_at, started_at "
                      "<= finished_at)"
                      " FROM outbox.finished_jobs") ==
             R"(1 1 1 0 7 default act u {"n": 1} t t t t)");
  // A second run of the same claim (its reply was lost, say) is refused.
  BOOST_TEST(std::holds_alternative<RanStale>(run(job, [](Tx&) { return Done{}; })));
  BOOST_TEST(finished() == 1);
}

BOOST_AUTO_TEST_CASE(a_queue_without_history_keeps_none) {
  request.history = false;
  BOOST_TEST(std::holds_alternative<RanDone>(run(claimed_job(), act)));
  BOOST_TEST(acts() == 1);
  BOOST_TEST(finished() == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
}

BOOST_AUTO_TEST_CASE(whatever_a_handler_throws_stores_nothing_and_is_a_failed_attempt) {
  const auto job = claimed_job();
  const auto exception = run(job, [](Tx& tx) -> Outcome {
    act(tx);
    throw std::runtime_error{"no paper"};
  });
  BOOST_TEST(why(undone(exception)) == "no paper");
  BOOST_TEST(undone(exception).reason == std::string{"error"});
  BOOST_TEST(undone(exception).sqlstate == "");
  const auto odd = run(job, [](Tx& tx) -> Outcome {
    act(tx);
    throw 42;
  });
  BOOST_TEST(why(undone(odd)).find("not a std::exception") != std::string::npos);
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(an_error_of_the_handlers_sql_carries_its_sqlstate) {
  const auto job = claimed_job();
  const auto state_of = [&](const char* sql) {
    return undone(run(job,
                      [&](Tx& tx) -> Outcome {
                        act(tx);
                        tx.exec(sql);
                        return Done{};
                      }))
        .sqlstate;
  };
  BOOST_TEST(state_of("INSERT INTO acts VALUES ('done')") == "23505");
  BOOST_TEST(state_of("SELECT 1 / 0") == "22012");
  BOOST_TEST(state_of("SELECT nothing") == "42703");
  BOOST_TEST(state_of("DO $$ BEGIN RAISE insufficient_privilege; END $$") == "42501");
  BOOST_TEST(state_of("DO $$ BEGIN RAISE lock_not_available; END $$") == "55P03");
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(every_outcome_but_done_undoes_what_was_written) {
  const auto job = claimed_job();
  const auto with = [&](const Outcome& outcome) {
    return undone(run(job, [&](Tx& tx) {
      act(tx);
      return outcome;
    }));
  };
  const auto snooze = with(Snooze{std::chrono::seconds{5}});
  BOOST_TEST(std::get<Snooze>(snooze.outcome).delay.count() == 5'000);
  const auto discard = with(Discard{"no such customer"});
  BOOST_TEST(std::get<Discard>(discard.outcome).why == "no such customer");
  BOOST_TEST(discard.reason == std::string{"discarded"});
  const auto retry = with(Retry{"busy", std::chrono::seconds{9}});
  BOOST_TEST(why(retry) == "busy");
  BOOST_TEST(std::get<Retry>(retry.outcome).after->count() == 9'000);
  BOOST_TEST(retry.reason == std::string{"error"});
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(a_stale_claim_stores_nothing) {
  const auto job = claimed_job();
  const auto is_stale = [&] { return std::holds_alternative<RanStale>(run(job, act)); };
  db.exec("UPDATE outbox.jobs SET claim_token = claim_token + 1");  // given back and claimed again
  BOOST_TEST(is_stale());
  db.exec("UPDATE outbox.jobs SET claim_token = claim_token - 1, claimed_by = 8");  // by another
  BOOST_TEST(is_stale());
  db.exec("UPDATE outbox.jobs SET claimed_by = NULL, claimed_at = NULL");  // by nobody
  BOOST_TEST(is_stale());
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 1);
  db.exec("DELETE FROM outbox.jobs");
  BOOST_TEST(is_stale());
  BOOST_TEST(acts() == 0);
  BOOST_TEST(finished() == 0);
}

BOOST_AUTO_TEST_CASE(a_claim_that_goes_stale_while_the_handler_runs_stores_nothing) {
  const auto job = claimed_job();
  const auto ran = run(job, [&](Tx& tx) {
    db.exec("UPDATE outbox.jobs SET claim_token = claim_token + 1");
    return act(tx);
  });
  BOOST_TEST(std::holds_alternative<RanStale>(ran));
  BOOST_TEST(acts() == 0);
  BOOST_TEST(finished() == 0);
}

BOOST_AUTO_TEST_CASE(a_job_that_expired_meanwhile_does_not_run) {
  auto job = claimed_job();
  job.expires_at_us = 1;
  BOOST_TEST(std::holds_alternative<store::RanExpired>(run(job, act)));
  BOOST_TEST(untouched(job));
  job.expires_at_us = std::numeric_limits<std::int64_t>::max();
  BOOST_TEST(std::holds_alternative<RanDone>(run(job, act)));
}

BOOST_AUTO_TEST_CASE(a_handler_plans_with_the_servers_settings_and_what_settles_a_job_does_not) {
  db.exec("ALTER DATABASE " + db.name() + " SET enable_sort = off");
  store::Database mine{db.options(), "test", store::Use::handlers};
  const std::string settings =
      "SELECT concat_ws(' ', current_setting('enable_seqscan'), current_setting('enable_sort'), "
      "current_setting('plan_cache_mode'))";
  const auto note = [&](Tx& tx) -> Outcome {
    tx.exec("INSERT INTO acts " + settings);
    return Done{};
  };
  BOOST_TEST(
      std::holds_alternative<RanDone>(store::run(mine, request, claimed_job(), store::Body{note})));
  BOOST_TEST(db.value("SELECT note FROM acts") == "on off auto");
  BOOST_TEST(pg::text(mine.session().run_fixed({"now", settings.c_str()})[0][0]) ==
             "off off force_generic_plan");
}

BOOST_AUTO_TEST_CASE(a_row_that_an_operator_has_updated_since_the_claim_is_finished_all_the_same) {
  const auto job = claimed_job();
  db.exec("UPDATE outbox.jobs SET priority = 3, run_at = run_at - interval '1 h'");  // not HOT: it
                                                                                     // moves
  BOOST_TEST(db.value("SELECT ctid FROM outbox.jobs") != job.ctid);
  BOOST_TEST(std::holds_alternative<RanDone>(run(job, act)));
  BOOST_TEST(acts() == 1);
  BOOST_TEST(db.number("SELECT priority FROM outbox.finished_jobs") == 3);
}

BOOST_AUTO_TEST_CASE(a_row_that_is_updated_while_the_finish_waits_for_it_is_finished) {
  const auto job = claimed_job();
  test::Transaction operating{db, "UPDATE outbox.jobs SET priority = 0"};
  auto running = test::in_background(db, store::Use::handlers, [&](store::Database& mine) {
    return store::run(mine, request, job, store::Body{act});
  });
  BOOST_TEST(test::eventually_blocked(db, 1));
  operating.commit();
  BOOST_TEST(std::holds_alternative<RanDone>(running.get()));
  BOOST_TEST(acts() == 1);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
}

BOOST_AUTO_TEST_CASE(a_place_that_another_job_has_taken_is_not_finished_for_it) {
  auto job = claimed_job();
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act')");
  job.ctid = db.value("SELECT ctid FROM outbox.jobs WHERE id = 2");
  BOOST_TEST(std::holds_alternative<RanDone>(run(job, act)));
  BOOST_TEST(db.number("SELECT id FROM outbox.jobs") == 2);
  BOOST_TEST(db.number("SELECT id FROM outbox.finished_jobs") == 1);
}

BOOST_AUTO_TEST_CASE(an_sql_error_that_the_handler_swallowed_is_not_reported_as_success) {
  const auto job = claimed_job();
  const auto ran = run(job, [](Tx& tx) {
    act(tx);
    try {
      tx.exec_params("SELECT 1 / $1::int", 0);  // exec_params: libpqxx 6.4 would let commit() pass
    } catch (const pqxx::sql_error&) {
      return Outcome{Done{}};
    }
    return Outcome{Discard{"unreachable"}};
  });
  BOOST_TEST(undone(ran).sqlstate == "25P02");
  BOOST_TEST(why(undone(ran)).find("savepoint") != std::string::npos);
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(after_a_swallowed_sql_error_nothing_is_committed_on_its_own) {
  const auto job = claimed_job();
  const std::vector<std::function<void(Tx&)>> errors{
      [](Tx& tx) { tx.exec("SELECT 1 / 0"); },
      [](Tx& tx) { tx.exec_params("SELECT 1 / $1::int", 0); },
  };
  const std::vector<std::function<void(Tx&)>> afterwards{
      [](Tx&) {},
      [](Tx& tx) { tx.exec("INSERT INTO acts VALUES ('later')"); },
      [](Tx& tx) { tx.exec_params("INSERT INTO acts VALUES ($1)", "later"); },
  };
  for (const auto& error : errors) {
    for (const auto& after : afterwards) {
      const auto ran = run(job, [&](Tx& tx) {
        try {
          error(tx);
        } catch (const pqxx::sql_error&) {
          after(tx);
        }
        return Done{};
      });
      BOOST_TEST(undone(ran).sqlstate == "25P02");
      BOOST_TEST(untouched(job));
    }
  }
}

BOOST_AUTO_TEST_CASE(an_sql_error_inside_a_savepoint_is_the_handlers_own_affair) {
  const auto ran = run(claimed_job(), [](Tx& tx) {
    try {
      pqxx::subtransaction part{dynamic_cast<pqxx::dbtransaction&>(tx), "part"};
      part.exec("SELECT 1 / 0");
    } catch (const pqxx::sql_error&) {
      return act(tx);
    }
    return Outcome{Discard{"unreachable"}};
  });
  BOOST_TEST(std::holds_alternative<RanDone>(ran));
  BOOST_TEST(acts() == 1);
}

BOOST_AUTO_TEST_CASE(a_handler_that_ends_the_transaction_itself_is_told_so) {
  const auto job = claimed_job();
  const std::vector<std::function<void(Tx&)>> ways{
      [](Tx& tx) { tx.exec("COMMIT"); },
      [](Tx& tx) { tx.exec("ROLLBACK"); },
      [](Tx& tx) { tx.exec("COMMIT; BEGIN"); },
      [](Tx& tx) { tx.commit(); },
      [](Tx& tx) { tx.abort(); },
  };
  for (std::size_t i = 0; i < ways.size(); ++i) {
    BOOST_TEST_CONTEXT("way " << i) {
      const auto ran = run(job, [&](Tx& tx) {
        tx.exec("INSERT INTO acts VALUES ('way " + std::to_string(i) + "')");
        ways[i](tx);
        return Done{};
      });
      BOOST_TEST(undone(ran).sqlstate == "2D000");
      BOOST_TEST(why(undone(ran)).find("leave COMMIT and ROLLBACK to outboxd") !=
                 std::string::npos);
      BOOST_TEST(finished() == 0);
      BOOST_TEST(store::still_claimed(claims, kProcessor, job));
    }
  }
  BOOST_TEST(std::holds_alternative<RanDone>(run(job, act)));  // the session is as good as new
}

BOOST_AUTO_TEST_CASE(a_statement_that_takes_too_long_is_a_timeout_and_the_limit_ends_with_the_job) {
  request.timeout = std::chrono::milliseconds{50};
  const auto job = claimed_job();
  const auto ran = run(job, [](Tx& tx) {
    act(tx);
    tx.exec("SELECT pg_sleep(60)");
    return Done{};
  });
  BOOST_TEST(undone(ran).reason == std::string{"timeout"});
  BOOST_TEST(undone(ran).sqlstate == "57014");
  BOOST_TEST(untouched(job));
  const pg::Statement limit{"limit", "SELECT current_setting('statement_timeout')"};
  BOOST_TEST(pg::text(database.session().run(limit)[0][0]) == "5s");
}

BOOST_AUTO_TEST_CASE(a_handler_reads_the_plan_settings_of_the_server) {
  const auto ran = run(claimed_job(), [](Tx& tx) {
    tx.exec(
        "INSERT INTO acts VALUES (current_setting('enable_seqscan') || "
        "current_setting('plan_cache_mode'))");
    return Done{};
  });
  BOOST_TEST(std::holds_alternative<RanDone>(ran));
  BOOST_TEST(db.value("SELECT note FROM acts") == "onauto");
}

BOOST_AUTO_TEST_CASE(a_connection_lost_in_the_handler_is_an_outage_even_if_the_handler_says_done) {
  const auto job = claimed_job();
  const auto kill = [&](Tx& tx) {
    act(tx);
    db.exec("SELECT pg_terminate_backend(" + std::to_string(database.backend_pid()) + ", 10000)");
    for (int i = 0; i < 6; ++i) {
      try {
        tx.exec("INSERT INTO acts VALUES ('later " + std::to_string(i) + "')");
      } catch (const std::exception&) {
        continue;  // what a handler should not do; libpqxx 6.4 would reconnect under it
      }
    }
    return Done{};
  };
  BOOST_TEST((fault_of_run(job, kill) == Fault::outage));
  BOOST_TEST(untouched(job));
  BOOST_TEST((fault_of_run(job, act) == Fault::outage));  // lost means lost
  BOOST_TEST(untouched(job));
}

// What libpqxx throws when it cannot send has no SQLSTATE.
BOOST_AUTO_TEST_CASE(an_error_without_a_reply_on_a_lost_connection_is_an_outage) {
  const auto job = claimed_job();
  const auto cannot_send = [&](Tx& tx) -> Outcome {
    db.exec("SELECT pg_terminate_backend(" + std::to_string(database.backend_pid()) + ", 10000)");
    BOOST_CHECK_THROW(tx.exec("SELECT 1"), std::exception);
    throw pqxx::failure{"no connection to the server"};
  };
  BOOST_TEST((fault_of_run(job, cannot_send) == Fault::outage));
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(an_error_without_a_reply_on_a_standing_connection_is_the_handlers) {
  const auto job = claimed_job();
  const auto ran = run(job, [](Tx&) -> Outcome { throw pqxx::failure{"its own"}; });
  BOOST_TEST(std::holds_alternative<RanUndone>(ran));
}

BOOST_AUTO_TEST_CASE(a_connection_lost_in_the_commit_is_in_doubt_and_the_row_tells) {
  db.exec(R"(CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER die AFTER INSERT ON acts DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION die())");
  const auto job = claimed_job();
  BOOST_TEST((fault_of_run(job, act) == Fault::in_doubt));
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(a_deferred_constraint_that_fails_at_the_commit_is_a_failed_attempt) {
  db.exec("CREATE TABLE seats (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  const auto job = claimed_job();
  const auto ran = run(job, [](Tx& tx) {
    act(tx);
    tx.exec("INSERT INTO seats VALUES (1), (1)");
    return Done{};
  });
  BOOST_TEST(undone(ran).sqlstate == "23505");
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(a_deadlock_or_serialization_failure_is_thrown_to_be_run_again) {
  const auto job = claimed_job();
  for (const std::string state : {"40001", "40P01"}) {
    BOOST_TEST((fault_of_run(job, [&](Tx& tx) -> Outcome {
                  tx.exec("DO $$ BEGIN RAISE 'again' USING ERRCODE = '" + state + "'; END $$");
                  return Done{};
                }) == Fault::conflict));
  }
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(a_handler_that_drops_our_prepared_statements_costs_a_session_not_the_queue) {
  const auto job = claimed_job();
  auto stale = job;
  ++stale.claim_token;
  BOOST_TEST(std::holds_alternative<RanStale>(run(stale, act)));  // prepares all there is
  BOOST_TEST((fault_of_run(job, [](Tx& tx) -> Outcome {
                act(tx);
                tx.exec("DEALLOCATE ALL");
                return Done{};
              }) == Fault::outage));
  BOOST_TEST(untouched(job));
  database = store::Database{db.options(), "test", store::Use::handlers};
  BOOST_TEST(std::holds_alternative<RanDone>(run(job, act)));
}

BOOST_AUTO_TEST_CASE(an_sql_handler_gets_payload_id_attempt_and_headers) {
  const auto job = claimed_job(R"({"n": 1})");
  const auto ran = run_sql(job, "INSERT INTO acts VALUES (concat_ws(' ', $1, $2, $3, $4))");
  BOOST_TEST(std::holds_alternative<RanDone>(ran));
  BOOST_TEST(db.value("SELECT note FROM acts") == R"({"n": 1} 1 1 {})");
  BOOST_TEST(finished() == 1);
}

BOOST_AUTO_TEST_CASE(an_sql_handlers_signals_and_errors_become_outcomes) {
  const auto job = claimed_job();
  const auto with = [&](const std::string& statement) {
    return undone(run_sql(job, "WITH a AS (INSERT INTO acts VALUES ('x')) " + statement));
  };
  BOOST_TEST(std::get<Snooze>(with("SELECT outbox.snooze('5 s')").outcome).delay.count() == 5'000);
  const auto discard = with("SELECT outbox.discard('no such customer')");
  BOOST_TEST(std::get<Discard>(discard.outcome).why == "no such customer");
  BOOST_TEST(discard.reason == std::string{"discarded"});
  const auto retry = with("SELECT outbox.retry_after('9 s', 'busy: wait')");
  BOOST_TEST(why(retry) == "busy: wait");
  BOOST_TEST(std::get<Retry>(retry.outcome).after->count() == 9'000);
  const auto error = with("SELECT 1 / 0");
  BOOST_TEST(error.sqlstate == "22012");
  BOOST_TEST(why(error).starts_with("division by zero"));
  const auto commit = undone(run_sql(job, "COMMIT"));
  BOOST_TEST(commit.sqlstate == "0A000");
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(an_sql_handler_that_takes_too_long_or_conflicts_is_treated_as_a_cpp_one) {
  const auto job = claimed_job();
  request.timeout = std::chrono::milliseconds{50};
  BOOST_TEST(undone(run_sql(job, "SELECT pg_sleep(60)")).reason == std::string{"timeout"});
  db.exec(
      "CREATE FUNCTION clash() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'again' USING "
      "ERRCODE = '40001'; END $$");
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(run_sql(job, "SELECT clash()")), DbError,
      [](const DbError& e) { return e.fault() == Fault::conflict && e.sqlstate() == "40001"; });
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(an_sql_handler_that_lost_a_connection_of_its_own_leaves_nothing_in_doubt) {
  const auto job = claimed_job();
  db.exec(
      "CREATE FUNCTION dial() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'no answer' USING "
      "ERRCODE = '08006'; END $$");
  BOOST_CHECK_EXCEPTION(static_cast<void>(run_sql(job, "SELECT dial()")), DbError,
                        [](const DbError& e) { return e.fault() == Fault::outage; });
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(an_sql_handler_of_a_stale_or_expired_claim_stores_nothing) {
  const auto job = claimed_job();
  auto other = job;
  ++other.claim_token;
  BOOST_TEST(std::holds_alternative<RanStale>(run_sql(other, "INSERT INTO acts VALUES ('stale')")));
  other = job;
  other.expires_at_us = 1;
  BOOST_TEST(
      std::holds_alternative<store::RanExpired>(run_sql(other, "INSERT INTO acts VALUES ('x')")));
  BOOST_TEST(untouched(job));
}

BOOST_AUTO_TEST_CASE(an_sql_handler_of_a_row_that_moved_is_finished) {
  const auto job = claimed_job();
  db.exec("UPDATE outbox.jobs SET priority = 3, run_at = run_at - interval '1 h'");
  BOOST_TEST(std::holds_alternative<RanDone>(run_sql(job, "INSERT INTO acts VALUES ('x')")));
  BOOST_TEST(acts() == 1);
  BOOST_TEST(finished() == 1);
}

BOOST_AUTO_TEST_CASE(a_time_limit_that_a_handler_sets_does_not_reach_the_next_one) {
  BOOST_TEST(std::holds_alternative<RanDone>(
      run_sql(claimed_job(), "SELECT set_config('statement_timeout', '0', false)")));
  BOOST_TEST(std::holds_alternative<RanDone>(
      run_sql(claimed_job(), "INSERT INTO acts VALUES (current_setting('statement_timeout'))")));
  BOOST_TEST(db.value("SELECT note FROM acts") == "30s");
}

BOOST_AUTO_TEST_CASE(what_the_guard_reports_is_read_back_whatever_its_text) {
  BOOST_TEST(std::get<Snooze>(store::from_guard("OB0101500").outcome).delay.count() == 1'500);
  BOOST_TEST(std::get<Discard>(store::from_guard("OB011").outcome).why == "");
  const auto retry = std::get<Retry>(store::from_guard("OB01220 a b").outcome);
  BOOST_TEST(retry.why == "a b");
  BOOST_TEST(retry.after->count() == 20);
  const auto plain = store::from_guard("23505twice");
  BOOST_TEST(plain.sqlstate == "23505");
  BOOST_TEST(std::get<Retry>(plain.outcome).why == "twice");
  BOOST_TEST(!std::get<Retry>(plain.outcome).after.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
