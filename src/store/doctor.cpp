// The order of the checks, and what becomes of one that could not look.
#include "store/doctor.hpp"

#include <array>

#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

enum class Needs { nothing, schema, fit_schema };

struct Check {
  const char* name;
  Needs needs;
  Findings (*look)(Checkup&);
};

constexpr std::array<Check, 24> kChecks{{
    {"server", Needs::nothing, check_server},
    {"schema", Needs::nothing, check_schema},
    {"drift", Needs::schema, check_drift},
    {"roles", Needs::schema, check_roles},
    {"grants", Needs::schema, check_grants},
    {"definers", Needs::schema, check_definers},
    {"owners", Needs::schema, check_owners},
    {"login", Needs::schema, check_login},
    {"settings", Needs::nothing, check_settings},
    {"storage", Needs::schema, check_storage},
    {"indexes", Needs::schema, check_indexes},
    {"constraints", Needs::schema, check_constraints},
    {"triggers", Needs::schema, check_triggers},
    {"plans", Needs::fit_schema, check_plans},
    {"horizon", Needs::fit_schema, check_horizon},
    {"slots", Needs::nothing, check_slots},
    {"clock", Needs::nothing, check_clock},
    {"heartbeats", Needs::fit_schema, check_heartbeats},
    {"pooler", Needs::nothing, check_pooler},
    {"notify", Needs::nothing, check_notify},
    {"locks", Needs::nothing, check_locks},
    {"sequences", Needs::schema, check_sequences},
    {"wraparound", Needs::nothing, check_wraparound},
    {"connections", Needs::nothing, check_connections},
}};

constexpr pg::Statement kStillThere{"doctor_still_there", "/* outbox:doctor_still_there */ SELECT"};

/// For what is not sent by ask(): reading the catalog, the ledger.
void bound(Database& database) {
  if (database.pooled()) return;  // it would stay with others
  database.session().run_script(
      "SET statement_timeout = '5s'; SET lock_timeout = '1s'; SET default_transaction_read_only = "
      "on");
}

void look_at_schema(Checkup& checkup) {
  try {
    checkup.schema = schema_version(checkup.database);
    if (!checkup.schema) return;
    checkup.fit =
        compatible(checkup.schema, schema_built_for(), kSchemaOldest) ? Fit::other : Fit::fit;
  } catch (const core::DbError& e) {
    if (e.session_lost()) throw;
    checkup.fit = Fit::unknown;
  }
}

/// What an error of a check means. Throws it again when the database has gone.
Finding explained(const Checkup& checkup, const char* check, const core::DbError& error) {
  const std::string text = "the check failed: " + message_of(error);
  if (error.session_lost()) {
    ask(checkup.database, kStillThere);  // throws if it was not another connection that failed
    return problem(check, "another connection is refused: " + message_of(error),
                   "a processor needs several connections and would be refused as well",
                   "raise max_connections, or the limits of the role (ALTER ROLE ... CONNECTION "
                   "LIMIT) and the database, or end sessions that nobody needs");
  }
  if (error.sqlstate() == "42501")
    return skipped(
        check, text,
        "run doctor as a member of outbox_inspector, the schema's owner, or a superuser");
  if (error.fault() == core::Fault::canceled || error.fault() == core::Fault::busy)
    return skipped(check, text, "run doctor again when the server is less busy");
  return skipped(check, text, "look at the other findings first, then run doctor again");
}

std::string refusal(const Checkup& checkup, Needs needs) {
  if (needs == Needs::nothing) return {};
  if (checkup.fit == Fit::absent) return "there is no schema outbox";
  if (needs == Needs::fit_schema && checkup.fit == Fit::other)
    return "this program does not know schema version " + std::to_string(checkup.schema->version);
  return {};
}

}  // namespace

std::vector<Finding> examine(Database& database, const Open& open, const Settings& settings) {
  Checkup checkup{.database = database, .open = open, .settings = settings, .schema = {}};
  bound(database);
  look_at_schema(checkup);
  std::vector<Finding> out;
  for (const auto& check : kChecks) {
    const auto refused = refusal(checkup, check.needs);
    if (!refused.empty()) {
      out.push_back(
          skipped(check.name, refused, "mend what the check schema says, then run doctor again"));
      continue;
    }
    try {
      for (auto& finding : check.look(checkup)) out.push_back(std::move(finding));
    } catch (const core::DbError& e) {
      out.push_back(explained(checkup, check.name, e));
    }
  }
  return out;
}

}  // namespace outbox::store::doctor
