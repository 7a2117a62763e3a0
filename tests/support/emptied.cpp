// Emptying is by DELETE: a TRUNCATE of 32 history slots would make a hundred new files.
#include "support/emptied.hpp"

#include <string>

namespace outbox::test {

namespace {

constexpr const char* kEmpty = R"(
DO $$
BEGIN
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
   WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
END $$;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
DELETE FROM outbox.jobs;
DELETE FROM outbox.finished_jobs;
DELETE FROM outbox.dead_jobs;
DELETE FROM outbox.job_failures;
DELETE FROM outbox.processors;
DELETE FROM outbox.queues;
DELETE FROM outbox.kinds;
DELETE FROM outbox.audit;
ALTER SEQUENCE outbox.jobs_id_seq RESTART;
ALTER SEQUENCE outbox.processors_id_seq RESTART;
ALTER SEQUENCE outbox.audit_id_seq RESTART)";

}  // namespace

TestDatabase& emptied_database() {
  // Never destroyed: the pool of databases goes first, and drops it with force.
  static auto& database = *new TestDatabase;
  database.exec("SET synchronous_commit = off");
  database.exec(kEmpty);
  return database;
}

}  // namespace outbox::test
