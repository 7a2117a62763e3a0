// The doctor on what can run out: numbers of sequences, transaction ids, connections.
#include "store/doctor_check.hpp"
#include "store/doctor_judge.hpp"

namespace outbox::store::doctor {

namespace {

// pg_sequences tells no last value to a role without rights on the sequence. The way back is the
// greatest number in use: that of jobs is in three tables.
constexpr pg::Statement kSequences{"doctor_sequences", R"(/* outbox:doctor_sequences */
SELECT format('outbox.%I', s.sequencename), s.last_value, s.max_value, has_sequence_privilege(c.oid, 'SELECT'),
       CASE WHEN s.sequencename = 'jobs_id_seq'
            THEN 'SELECT setval(''outbox.jobs_id_seq'', greatest((SELECT max(id) FROM outbox.jobs), (SELECT max(id) FROM outbox.dead_jobs), '
                 '(SELECT max(id) FROM outbox.finished_jobs), 1));'
            WHEN t.relname IS NOT NULL
            THEN format('SELECT setval(%L, greatest((SELECT max(%I) FROM outbox.%I), 1));', format('outbox.%I', s.sequencename), a.attname, t.relname)
       END
  FROM pg_sequences s
  JOIN pg_class c ON c.relname = s.sequencename AND c.relnamespace = to_regnamespace('outbox')
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('i', 'a') AND d.refobjsubid > 0
  LEFT JOIN pg_class t ON t.oid = d.refobjid
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE s.schemaname = 'outbox'
 ORDER BY 1)"};

// The table whose oldest row is oldest, TOAST included, and the database.
constexpr pg::Statement kAges{"doctor_ages", R"(/* outbox:doctor_ages */
(SELECT format('table outbox.%I', c.relname), greatest(age(c.relfrozenxid), age(t.relfrozenxid))::bigint AS age,
        current_setting('autovacuum_freeze_max_age')::bigint, format('VACUUM (FREEZE, VERBOSE) outbox.%I;', c.relname)
   FROM pg_class c
   LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
  WHERE c.relnamespace = to_regnamespace('outbox') AND c.relkind = 'r' ORDER BY age DESC LIMIT 1)
UNION ALL
SELECT 'database ' || d.datname, age(d.datfrozenxid)::bigint, current_setting('autovacuum_freeze_max_age')::bigint,
       format('vacuumdb --freeze --jobs=4 --dbname=%s', d.datname)
  FROM pg_database d WHERE d.datname = current_database())"};

// reserved_connections came with 16.
constexpr pg::Statement kConnections{"doctor_connections", R"(/* outbox:doctor_connections */
SELECT (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'client backend' OR a.backend_type IS NULL),
       current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
       - coalesce(current_setting('reserved_connections', true)::bigint, 0))"};

constexpr double kWarnAt = 0.80;
constexpr double kProblemAt = 0.95;

}  // namespace

Findings check_sequences(Checkup& checkup) {
  Findings out;
  std::vector<std::string> hidden;
  std::size_t seen = 0;
  for (const auto& row : ask(checkup.database, kSequences)) {
    const auto name = pg::text(row[0]);
    ++seen;
    if (!row[3].as<bool>()) {
      hidden.push_back(name);
      continue;
    }
    const auto last = pg::maybe<std::int64_t>(row[1]).value_or(0);
    const auto share = static_cast<double>(last) / static_cast<double>(row[2].as<std::int64_t>());
    if (share <= kWarnAt) continue;
    const auto fix = row[4].is_null() ? "ALTER SEQUENCE " + name + " RESTART;" : pg::text(row[4]);
    out.push_back({"sequences", share > kProblemAt ? Status::problem : Status::warning,
                   "sequence " + name + " is at " + std::to_string(last) + ", " +
                       std::to_string(static_cast<int>(share * 100)) + " % of what it can count",
                   "at its end every INSERT fails",
                   fix + " -- back to the greatest number in use"});
  }
  if (!hidden.empty()) {
    out.push_back(skipped("sequences", "this role may not read " + enumerated(hidden),
                          "run doctor as the schema's owner or a superuser"));
  }
  return or_ok(std::move(out), "sequences", std::to_string(seen) + " sequences have room");
}

Findings check_wraparound(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kAges)) {
    out.push_back(judge_age(pg::text(row[0]), row[1].as<std::int64_t>(), row[2].as<std::int64_t>(),
                            pg::text(row[3])));
  }
  return out;
}

Findings check_connections(Checkup& checkup) {
  const auto row = ask(checkup.database, kConnections)[0];
  return {judge_connections(row[0].as<std::int64_t>(), row[1].as<std::int64_t>())};
}

}  // namespace outbox::store::doctor
