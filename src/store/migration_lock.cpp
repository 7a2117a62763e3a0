// SQL of the migrator's lock: a session advisory lock, polled, and who holds what.
#include "store/migration_lock.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "core/error.hpp"

namespace outbox::store {

namespace {

using core::Error;
using core::ExitCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Class 7306803 is ours alone (migrations/README.md lists the keys). Polled, never waited for: a
// session that blocks in pg_advisory_lock holds a snapshot, which other people's CREATE INDEX
// CONCURRENTLY would wait for.
constexpr pg::Statement kTryLock{"migrate_try_lock",
                                 "SELECT pg_catalog.pg_try_advisory_lock(7306803, 0)"};
constexpr pg::Statement kMigrateUnlock{"migrate_unlock",
                                       "SELECT pg_catalog.pg_advisory_unlock(7306803, 0)"};

// What a migration makes belongs to the owner of what there is, whoever runs it: an ordinary
// migrator could not, and what a superuser made nobody else could change. That is the ledger's
// owner (a superuser may have migrated by hand), else the schema's, else outbox_owner, if roles.sql
// was run here. Index: those of the catalogs.
constexpr pg::Statement kBecomeOwner{"migrate_become_owner", R"(
  SELECT pg_catalog.set_config('role', o.rolname, false) FROM pg_catalog.pg_roles o
   WHERE o.oid = coalesce((SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                            WHERE n.nspname = 'outbox' AND c.relname = 'schema_migrations'),
                          (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'outbox'),
                          (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = 'outbox_owner'
                              AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CREATE')))
     AND o.rolname <> current_user AND pg_catalog.pg_has_role(session_user, o.oid, 'MEMBER'))"};

// Other sessions that hold the migrator's lock ($1) or any lock on our tables (else), longest
// transaction first.
constexpr pg::Statement kHolders{"migrate_holders", R"(
  SELECT coalesce(string_agg(h.who, '; '), 'somebody') FROM (
    SELECT format('pid %s (%s%s)', a.pid, coalesce(nullif(a.application_name, ''), a.usename, 'unknown'),
                  ', in a transaction for ' || round(extract(epoch FROM clock_timestamp() - a.xact_start)) || ' s') AS who
      FROM pg_catalog.pg_stat_activity a
     WHERE a.pid <> pg_catalog.pg_backend_pid()
       AND EXISTS (SELECT FROM pg_catalog.pg_locks l
                     LEFT JOIN pg_catalog.pg_class c ON l.locktype = 'relation' AND c.oid = l.relation
                    WHERE l.pid = a.pid AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
                      AND CASE WHEN $1::boolean THEN l.locktype = 'advisory' AND l.classid = 7306803 AND l.objsubid = 2
                               ELSE c.relnamespace = pg_catalog.to_regnamespace('outbox') END)
     ORDER BY a.xact_start LIMIT 3) h)"};

}  // namespace

Patience::Patience(pg::Session& session, milliseconds limit,
                   std::function<void(const std::string&)> tell)
    : session_{session},
      limit_{limit},
      deadline_{Clock::now() + limit},
      tell_{std::move(tell)},
      random_{std::random_device{}()} {}

void Patience::wait(const std::string& what, Held held, milliseconds around) {
  const auto holders = pg::text(session_.run(kHolders, held == Held::migrator_lock)[0][0]);
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - Clock::now());
  if (left <= milliseconds{0}) {
    throw Error{
        ExitCode::busy,
        what + ": still held by " + holders + " after " + std::to_string(limit_.count()) + " ms",
        "run it again later, or wait longer with --lock-wait"};
  }
  if (what != told_ && tell_) tell_(what + ": held by " + holders);
  told_ = what;
  std::uniform_int_distribution<std::int64_t> spread{around.count() / 2, around.count() * 3 / 2};
  std::this_thread::sleep_for(std::min(milliseconds{spread(random_)}, left));
}

MigrationLock::MigrationLock(pg::Session& session, Patience& patience) : session_{session} {
  if (session.pooled()) {
    throw Error{ExitCode::refused,
                "migrations do not run through a transaction pooler: their lock would be lost "
                "between statements",
                "give the server's own address with --url"};
  }
  while (!session_.run(kTryLock)[0][0].as<bool>()) {
    patience.wait("another migration is running", Held::migrator_lock, milliseconds{200});
  }
  session_.run(kBecomeOwner);
}

MigrationLock::~MigrationLock() {
  try {
    session_.run(kMigrateUnlock);
  } catch (...) {  // the connection is gone, and the lock with it
  }
}

}  // namespace outbox::store
