// SQL of measuring a migration.
#include "store/measure.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace outbox::store {

namespace {

using Clock = std::chrono::steady_clock;

// Indexes: those of the catalogs. A partition counts as its root, as in the headers. seq_tup_read
// is that of this transaction.
constexpr pg::Statement kRelations{"measure_relations", R"(/* outbox:measure_relations */
SELECT t.oid::bigint, n.nspname || '.' || c.relname, t.relfilenode::bigint, coalesce(s.seq_tup_read, 0)
  FROM pg_catalog.pg_class t
  JOIN pg_catalog.pg_class c ON c.oid = coalesce(pg_catalog.pg_partition_root(t.oid), t.oid)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_xact_user_tables s ON s.relid = t.oid
 WHERE t.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_')"};

// No index: the locks of this session only. What blocks neither reading, nor writing, nor vacuum is
// left out, as in the headers.
constexpr pg::Statement kLocks{"measure_locks", R"(/* outbox:measure_locks */
SELECT DISTINCT l.relation::bigint, l.mode FROM pg_catalog.pg_locks l
 WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
   AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))"};

constexpr pg::Statement kWal{"measure_wal", R"(/* outbox:measure_wal */
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint)"};

constexpr pg::Statement kLarge{"measure_large", R"(/* outbox:measure_large */
SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class t
  JOIN pg_catalog.pg_class c ON c.oid = coalesce(pg_catalog.pg_partition_root(t.oid), t.oid)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 GROUP BY 1 HAVING sum(greatest(t.reltuples, 0)) > $1::int)"};

struct Relation {
  std::string name;
  std::int64_t file{};
  std::int64_t rows_read{};
};
using Relations = std::map<std::int64_t, Relation>;

Relations relations(pg::Session& session, pqxx::transaction_base& tx) {
  Relations out;
  for (const auto& row : session.call(tx, kRelations)) {
    out[row[0].as<std::int64_t>()] = {pg::text(row[1]), row[2].as<std::int64_t>(),
                                      row[3].as<std::int64_t>()};
  }
  return out;
}

/// Of pg_locks, with the words of LOCK TABLE, weakest first.
constexpr std::array<std::pair<const char*, const char*>, 5> kLockModes{
    {{"ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"},
     {"ShareLock", "SHARE"},
     {"ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"},
     {"ExclusiveLock", "EXCLUSIVE"},
     {"AccessExclusiveLock", "ACCESS EXCLUSIVE"}}};

std::map<std::string, std::string> locks_on(pg::Session& session, pqxx::transaction_base& tx,
                                            const Relations& before) {
  std::map<std::string, std::size_t> strongest;
  for (const auto& row : session.call(tx, kLocks)) {
    const auto relation = before.find(row[0].as<std::int64_t>());
    if (relation == before.end()) continue;
    const std::string mode = pg::text(row[1]);
    for (std::size_t i = 0; i < kLockModes.size(); ++i) {
      auto& at = strongest[relation->second.name];
      if (mode == kLockModes.at(i).first) at = std::max(at, i);
    }
  }
  std::map<std::string, std::string> out;
  for (const auto& [table, mode] : strongest) out[table] = kLockModes.at(mode).second;
  return out;
}

std::vector<std::string> sorted(const std::set<std::string>& names) {
  return {names.begin(), names.end()};
}

void compare_relations(const Relations& before, const Relations& after, MeasuredRun& run) {
  std::set<std::string> rewritten;
  std::map<std::string, std::int64_t> read;
  for (const auto& [oid, relation] : before) {
    const auto now = after.find(oid);
    if (now == after.end()) continue;
    if (now->second.file != relation.file) rewritten.insert(relation.name);
    read[relation.name] += now->second.rows_read - relation.rows_read;
  }
  std::set<std::string> scanned;
  for (const auto& [table, rows] : read) {
    if (rows > kScanRows) scanned.insert(table);
  }
  run.rewrites = sorted(rewritten);
  run.scans = sorted(scanned);
}

std::int64_t wal_position(pg::Session& session) {
  return session.run(kWal)[0][0].as<std::int64_t>();
}

}  // namespace

MeasuredRun measured_run(pg::Session& session, const std::string& sql, bool up,
                         bool allow_data_loss) {
  MeasuredRun run;
  run.up = up;
  const auto wal = wal_position(session);
  const auto start = Clock::now();
  Clock::duration measuring{};
  session.transact([&](pqxx::transaction_base& tx) {
    const auto asked = Clock::now();
    tx.exec("SET LOCAL statement_timeout = 0");
    tx.exec(allow_data_loss ? "SET LOCAL outbox.allow_data_loss = on"
                            : "SET LOCAL outbox.allow_data_loss = off");
    const auto before = relations(session, tx);
    measuring += Clock::now() - asked;
    tx.exec(sql);
    const auto done = Clock::now();
    compare_relations(before, relations(session, tx), run);
    run.locks = locks_on(session, tx, before);
    measuring += Clock::now() - done;
  });
  run.took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start - measuring);
  run.wal_bytes = wal_position(session) - wal;
  return run;
}

std::vector<std::string> large_tables(pg::Session& session) {
  std::vector<std::string> out;
  for (const auto& row : session.run(kLarge, kScanRows)) out.push_back(pg::text(row[0]));
  return out;
}

}  // namespace outbox::store
