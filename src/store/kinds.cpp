// SQL of pausing and resuming kinds.
#include "store/kinds.hpp"

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// No index: the table has a row for each kind that somebody paused. Locks: none.
constexpr pg::Statement kPausedKinds{"paused_kinds", R"(/* outbox:paused_kinds */
SELECT k.name FROM outbox.kinds k WHERE k.paused_at IS NOT NULL ORDER BY k.name)"};

// Function scans of one row; indexes and locks: in the functions of migration 0005.
constexpr pg::Statement kPauseKind{
    "pause_kind", "/* outbox:pause_kind */ SELECT " OUTBOX_MOMENT("p.paused_at")
    ", p.result = 'was_paused', p.known FROM outbox.pause_kind($1::text, $2::text, $3::text) AS p"};
constexpr pg::Statement kResumeKind{"resume_kind", R"(/* outbox:resume_kind */
SELECT r.result FROM outbox.resume_kind($1::text, $2::text, $3::text) AS r)"};

// Two small tables as a whole. No locks.
constexpr pg::Statement kKindStatuses{
    "kind_statuses", "/* outbox:kind_statuses */ SELECT n.name, count(p.kind), " OUTBOX_MOMENT(
                         "max(k.paused_at)") R"(, max(k.paused_why)
  FROM (SELECT x.name FROM outbox.kinds x
        UNION SELECT unnest(y.kinds) FROM outbox.processors y WHERE y.dead_at IS NULL) n (name)
  LEFT JOIN outbox.kinds k ON k.name = n.name
  LEFT JOIN (SELECT unnest(z.kinds) FROM outbox.processors z WHERE z.dead_at IS NULL) p (kind) ON p.kind = n.name
 GROUP BY n.name ORDER BY n.name LIMIT $1::int)"};

}  // namespace

std::vector<std::string> paused_kinds(Database& database) {
  std::vector<std::string> kinds;
  for (const auto& row : database.session().run(kPausedKinds)) kinds.push_back(pg::text(row[0]));
  return kinds;
}

Paused pause_kind(Database& database, const std::string& kind, const Stated& stated) {
  const auto said = stated.storable();
  const auto rows = database.session().run(kPauseKind, kind, said.why, said.actor);
  const auto& row = rows[0];
  return {.since = Moment{std::chrono::microseconds{row[0].as<std::int64_t>()}},
          .was_paused = row[1].as<bool>(),
          .known = row[2].as<bool>()};
}

ResumeEnd resume_kind(Database& database, const std::string& kind, const Stated& stated) {
  const auto said = stated.storable();
  const auto rows = database.session().run(kResumeKind, kind, said.why, said.actor);
  return to_resume_end(pg::text(rows[0][0]));
}

std::vector<KindStatus> kind_statuses(Database& database) {
  std::vector<KindStatus> kinds;
  for (const auto& row : database.session().run(kKindStatuses, kKindsMost)) {
    kinds.push_back({.name = pg::text(row[0]),
                     .processors = row[1].as<std::int64_t>(),
                     .paused_at = to_moment(pg::maybe<std::int64_t>(row[2])),
                     .paused_why = pg::text(row[3])});
  }
  return kinds;
}

std::vector<pg::Statement> kinds_statements() { return {kPausedKinds, kPauseKind}; }

}  // namespace outbox::store
