// Every CHECK of the schema refuses an illegal row, with the message it promises, and lets the
// legal edges pass.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "support/database.hpp"

namespace constraints_pgtest {

using outbox::test::TestDatabase;

struct Illegal {
  const char* constraint;
  const char* columns;
  const char* values;
  const char* message;  ///< nullptr: PostgreSQL's own, which names the constraint.
};

const std::map<std::string, std::vector<Illegal>> kIllegal{
    {"jobs",
     {
         {"job_claimed_by_and_at", "kind, claimed_by, claim_token", "'k', 1, 1", nullptr},
         {"job_claimed_by_and_at", "kind, claimed_at", "'k', now()", nullptr},
         {"job_claim_counted", "kind, claimed_by, claimed_at", "'k', 1, now()", nullptr},
         {"job_suspect_crashed", "kind, suspect", "'k', true", nullptr},
         {"job_counters", "kind, claim_token", "'k', -1", nullptr},
         {"job_counters", "kind, crashes", "'k', -1", nullptr},
         {"job_counters", "kind, attempt", "'k', -1", nullptr},
         {"job_counters", "kind, attempt, max_attempts", "'k', 4, 3", nullptr},
         {"job_max_attempts", "kind, max_attempts", "'k', 0",
          "max_attempts is 0; 1 to 1000 are allowed"},
         {"job_max_attempts", "kind, max_attempts", "'k', 1001",
          "max_attempts is 1001; 1 to 1000 are allowed"},
         {"job_priority", "kind, priority", "'k', -1",
          "priority is -1; 0 (first) to 3 (last) are allowed"},
         {"job_priority", "kind, priority", "'k', 4",
          "priority is 4; 0 (first) to 3 (last) are allowed"},
         {"job_queue_length", "kind, queue", "'k', ''",
          "the queue name has 0 characters; 1 to 63 are allowed"},
         {"job_queue_length", "kind, queue", "'k', repeat('q', 64)",
          "the queue name has 64 characters; 1 to 63 are allowed"},
         {"job_kind_length", "kind", "''", "the kind has 0 characters; 1 to 63 are allowed"},
         {"job_kind_length", "kind", "repeat('k', 64)",
          "the kind has 64 characters; 1 to 63 are allowed"},
         {"job_unique_key_length", "kind, unique_key", "'k', ''",
          "unique_key has 0 characters; 1 to 255 are allowed"},
         {"job_unique_key_length", "kind, unique_key", "'k', repeat('u', 256)",
          "unique_key has 256 characters; 1 to 255 are allowed"},
         {"job_headers_object", "kind, headers", "'k', '[]'",
          "headers is a JSON array; an object is expected"},
         {"job_headers_object", "kind, headers", "'k', 'null'",
          "headers is a JSON null; an object is expected"},
         {"job_run_at_finite", "kind, run_at", "'k', 'infinity'", "run_at is infinite"},
         {"job_run_at_finite", "kind, run_at", "'k', '-infinity'", "run_at is infinite"},
     }},
    {"queues",
     {
         {"queue_name_length", "name", "''",
          "the queue name has 0 characters; 1 to 63 are allowed"},
         {"queue_name_length", "name", "repeat('q', 64)",
          "the queue name has 64 characters; 1 to 63 are allowed"},
         {"queue_retention", "name, retention_days", "'q', 0", nullptr},
         {"queue_retention", "name, retention_days", "'q', 31", nullptr},
     }},
    {"kinds",
     {
         {"kind_name_length", "name", "''", "the kind has 0 characters; 1 to 63 are allowed"},
         {"kind_name_length", "name", "repeat('k', 64)",
          "the kind has 64 characters; 1 to 63 are allowed"},
         {"kind_paused_why", "name, paused_why", "'k', 'gone'", nullptr},
     }},
    {"processors",
     {
         {"processor_dead",
          "name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at",
          "'p', '0', 3, 1, '{}', '{}', true, '10s', now()", nullptr},
         {"processor_dead",
          "name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_reason",
          "'p', '0', 3, 1, '{}', '{}', true, '10s', 'why'", nullptr},
     }},
    {"dead_jobs",
     {
         {"dead_job_reason",
          "id, created_at, run_at, priority, attempt, max_attempts, crashes, reason, queue, kind, "
          "payload",
          "1, now(), now(), 1, 1, 1, 0, 'tired', 'q', 'k', '{}'", nullptr},
     }},
    {"audit", {{"audit_action", "action, queue", "'delete', 'q'", nullptr}}},
    {"schema_changes",
     {{"schema_change_direction", "version, name, direction", "1, 'ledger', 'side'", nullptr}}},
    {"job_failures",
     {
         {"job_failure_reason", "job_id, processor_id, attempt, reason, queue, kind, error",
          "1, 1, 1, 'tired', 'q', 'k', 'e'", nullptr},
     }},
};

/// The server's text for a row that a CHECK refused; empty when it was let in or refused for
/// another reason.
std::string refusal(TestDatabase& test, const std::string& sql) {
  try {
    test.exec(sql);
  } catch (const pqxx::sql_error& e) {
    if (e.sqlstate() == "23514") return e.what();
    return {};
  }
  return {};
}

}  // namespace constraints_pgtest

BOOST_AUTO_TEST_SUITE(constraints_pgtest)

BOOST_AUTO_TEST_CASE(every_check_refuses_what_it_is_for) {
  TestDatabase test;
  for (const auto& [table, rows] : kIllegal) {
    for (const auto& row : rows) {
      const auto sql =
          "INSERT INTO outbox." + table + " (" + row.columns + ") VALUES (" + row.values + ")";
      const auto text = refusal(test, sql);
      const std::string expected = row.message == nullptr ? "violates check constraint \"" +
                                                                std::string{row.constraint} + '"'
                                                          : row.message;
      BOOST_TEST((text.find(expected) != std::string::npos),
                 sql + ": expected " + expected + ", got " + text);
      const bool says_what_helps =
          row.message == nullptr ||
          text.find("Retrying unchanged does not help.") != std::string::npos;
      BOOST_TEST(says_what_helps, text);
    }
  }
}

// A row that only that constraint can refuse: without it, the row goes in.
BOOST_AUTO_TEST_CASE(each_row_is_refused_by_the_constraint_it_names) {
  TestDatabase test;
  for (const auto& [table, rows] : kIllegal) {
    for (const auto& row : rows) {
      const auto sql = std::string{"BEGIN; ALTER TABLE outbox."} + table + " DROP CONSTRAINT " +
                       row.constraint + "; INSERT INTO outbox." + table + " (" + row.columns +
                       ") VALUES (" + row.values + "); ROLLBACK";
      pqxx::connection connection{test.url()};
      pqxx::nontransaction tx{connection};
      BOOST_CHECK_NO_THROW(tx.exec(sql));
    }
  }
}

BOOST_AUTO_TEST_CASE(no_check_is_forgotten_here) {
  TestDatabase test;
  std::set<std::string> exercised;
  for (const auto& [table, rows] : kIllegal) {
    for (const auto& row : rows) exercised.insert(table + "." + row.constraint);
  }
  std::string all;
  for (const auto& name : exercised) all += name + " ";
  BOOST_TEST(
      all ==
      test.value("SELECT string_agg(relname || '.' || conname || ' ', '' ORDER BY (relname || '.' "
                 "|| conname) COLLATE \"C\") "
                 "FROM pg_constraint JOIN pg_class c ON c.oid = conrelid "
                 "WHERE connamespace = 'outbox'::regnamespace AND contype = 'c' AND conislocal"));
}

BOOST_AUTO_TEST_CASE(legal_edges_pass) {
  TestDatabase test;
  for (const auto* row : {
           "(kind, queue, unique_key) VALUES (repeat('\u00fc', 63), repeat('\u00fc', 63), "
           "repeat('u', 255))",
           "(kind, priority, max_attempts) VALUES ('k', 0, 1)",
           "(kind, priority, max_attempts, attempt) VALUES ('k', 3, 1000, 1000)",
           "(kind, headers, payload) VALUES ('k', '{}', 'null')",
           "(kind, payload) VALUES ('k', to_jsonb(repeat('x', 1048000)))",
           "(kind, run_at, expires_at) VALUES ('k', '4000-01-01 BC', 'infinity')",
           "(kind, claimed_by, claimed_at, claim_token, suspect, crashes) VALUES ('k', 1, now(), "
           "1, true, 1)",
       }) {
    BOOST_CHECK_NO_THROW(test.exec(std::string{"INSERT INTO outbox.jobs "} + row));
  }
}

BOOST_AUTO_TEST_CASE(the_payload_limit_is_a_setting) {
  TestDatabase test;
  const std::string insert =
      "INSERT INTO outbox.jobs (kind, payload) SELECT 'k', to_jsonb(repeat('x', 3000000))";
  const auto text = refusal(test, insert);
  BOOST_TEST((text.find("outbox: the payload has 3000") != std::string::npos), text);
  BOOST_TEST((text.find("SET outbox.max_payload") != std::string::npos), text);
  BOOST_CHECK_NO_THROW(test.exec("SET LOCAL outbox.max_payload = '4MB'; " + insert));
  BOOST_TEST(!refusal(test, "SET LOCAL outbox.max_payload = '2MB'; " + insert).empty());
}

// CHECKs run again on every UPDATE: a job let in under a higher limit must not stop the processor's
// claims.
BOOST_AUTO_TEST_CASE(a_large_job_that_was_let_in_can_be_claimed_and_retried) {
  TestDatabase test;
  test.exec(
      "SET LOCAL outbox.max_payload = '4MB'; INSERT INTO outbox.jobs (kind, payload) "
      "SELECT 'k', jsonb_agg(md5(random()::text)) FROM generate_series(1, 60000)");
  BOOST_TEST(test.number("SELECT pg_column_size(payload) FROM outbox.jobs") > 1048576);
  BOOST_CHECK_NO_THROW(test.exec(
      "UPDATE outbox.jobs SET attempt = 1, last_error = 'e', run_at = clock_timestamp()"));
  BOOST_CHECK_NO_THROW(
      test.exec("UPDATE outbox.jobs SET claimed_by = 1, claimed_at = now(), claim_token = 1"));
  BOOST_CHECK_NO_THROW(
      test.exec("UPDATE outbox.jobs SET claimed_by = NULL, claimed_at = NULL, attempt = 0"));
  BOOST_CHECK_NO_THROW(test.exec("UPDATE outbox.jobs SET priority = 0"));
}

BOOST_AUTO_TEST_SUITE_END()
