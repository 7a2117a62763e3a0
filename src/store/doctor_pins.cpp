// The doctor on what keeps VACUUM from removing dead rows: whoever may still need an old version of
// them.
#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

constexpr const char* kPinWhy =
    "VACUUM cannot remove what died since: claims walk over more and more dead rows, and the "
    "tables grow";

// The view of migration 0004; no locks. Sessions of others show what they do only to a role with
// pg_read_all_stats.
constexpr pg::Statement kHolders{"doctor_holders", R"(/* outbox:doctor_holders */
SELECT h.what, h.pid, h.role, h.name, h.xids::bigint, extract(epoch FROM h.held_for)::float8, h.detail FROM outbox.xmin_holders h)"};

constexpr pg::Statement kHidden{"doctor_hidden", R"(/* outbox:doctor_hidden */
SELECT count(*), current_user FROM pg_stat_activity a
 WHERE a.datname = current_database() AND NOT pg_has_role(a.usesysid, 'USAGE') AND NOT pg_has_role('pg_read_all_stats', 'USAGE'))"};

// Also without xmin: one that nobody reads keeps all WAL.
constexpr pg::Statement kSlots{"doctor_slots", R"(/* outbox:doctor_slots */
SELECT s.slot_name, s.slot_type, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn))
  FROM pg_replication_slots s
 WHERE NOT s.active AND NOT s.temporary AND s.restart_lsn IS NOT NULL
 ORDER BY s.slot_name)"};

struct Holder {
  std::string what;
  std::string pid;
  std::string role;
  std::string name;
  std::int64_t xids{};
  double seconds{};
  std::string detail;
};

/// Of slots and standbys nobody knows since when.
bool is_timed(const Holder& holder) {
  return holder.what == "transaction" || holder.what == "prepared transaction";
}

Status weight(const Settings& settings, const Holder& holder) {
  const double seconds = is_timed(holder) ? holder.seconds : 0;
  if (seconds > static_cast<double>(settings.pinned_problem.count()) ||
      holder.xids > settings.pinned_ids)
    return Status::problem;
  return seconds > static_cast<double>(settings.pinned_warning.count()) ? Status::warning
                                                                        : Status::ok;
}

std::string slot_fix(const std::string& name) {
  return "SELECT * FROM pg_replication_slots WHERE slot_name = " + literal(name) +
         "; -- whose it is: start its reader again, or\nSELECT pg_drop_replication_slot(" +
         literal(name) + "); -- and its reader must begin anew";
}

std::string fix_for(const Holder& holder) {
  if (holder.what == "prepared transaction") {
    const auto gid = literal(holder.name);
    return "SELECT * FROM pg_prepared_xacts WHERE gid = " + gid +
           "; -- whose it is: ask its transaction manager\nROLLBACK PREPARED " + gid +
           "; -- or COMMIT PREPARED";
  }
  if (holder.what == "replication slot") return slot_fix(holder.name);
  if (holder.what == "standby")
    return "end the long query on the standby, or there: ALTER SYSTEM SET hot_standby_feedback = "
           "off; SELECT pg_reload_conf();";
  return "SELECT * FROM pg_stat_activity WHERE pid = " + holder.pid +
         "; -- who it is\nSELECT pg_terminate_backend(" + holder.pid + "); -- ends it";
}

std::string told(const Holder& holder) {
  std::string text = holder.what + " " + (holder.pid.empty() ? holder.name : holder.pid);
  if (!holder.role.empty()) text += " of " + holder.role;
  if (!holder.pid.empty()) text += " (" + holder.name + ")";
  text += " holds the xmin horizon, " + std::to_string(holder.xids) + " transaction ids back";
  if (is_timed(holder)) {
    const std::chrono::seconds time{static_cast<std::int64_t>(holder.seconds)};
    text += ", for " + core::format_duration(time);
  }
  return text + "; " + holder.detail;
}

}  // namespace

Findings check_horizon(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kHolders)) {
    const Holder holder{.what = pg::text(row[0]),
                        .pid = pg::text(row[1]),
                        .role = pg::text(row[2]),
                        .name = pg::text(row[3]),
                        .xids = pg::maybe<std::int64_t>(row[4]).value_or(0),
                        .seconds = pg::maybe<double>(row[5]).value_or(0),
                        .detail = pg::text(row[6])};
    const auto status = weight(checkup.settings, holder);
    if (status != Status::ok)
      out.push_back({"horizon", status, told(holder), kPinWhy, fix_for(holder)});
  }
  const auto rows = ask(checkup.database, kHidden);
  if (rows[0][0].as<std::int64_t>() > 0) {
    out.push_back(skipped("horizon",
                          "role " + pg::text(rows[0][1]) + " does not see what " +
                              pg::text(rows[0][0]) + " sessions of other roles do",
                          "run doctor as a superuser or a member of pg_read_all_stats"));
  }
  return or_ok(std::move(out), "horizon", "nobody holds old rows for long");
}

Findings check_slots(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kSlots)) {
    const auto name = pg::text(row[0]);
    out.push_back(warning("slots",
                          pg::text(row[1]) + " slot " + name + " is read by nobody and keeps " +
                              pg::text(row[2]) + " of WAL",
                          "the WAL fills the disk, and the server stops; a slot with an xmin also "
                          "keeps dead rows",
                          slot_fix(name)));
  }
  return or_ok(std::move(out), "slots", "every replication slot is read");
}

}  // namespace outbox::store::doctor
