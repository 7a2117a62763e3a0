// Output of the migrate commands.
#include "cli/migrate_text.hpp"

#include "store/migration_files.hpp"

namespace outbox::cli {

namespace {

using store::migration_label;

std::string words(const store::MigrationState& state) {
  if (!state.applied) return "pending";
  std::string text = "applied " + state.applied_at + " by " + state.applied_by;
  if (state.by_hand) text += ", by hand (outboxd migrate adopt completes the ledger)";
  if (!state.known) text += ", unknown to this program";
  if (!state.checksum_ok) text += ", DIFFERS from this program's file";
  return text;
}

std::string indented(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += std::string(14, ' ');
  }
  return out;
}

std::string step_text(const store::PlannedStep& step) {
  std::string text = "\n" + std::string{step.up ? "up   " : "down "} +
                     migration_label(step.version, step.name) + "\n";
  for (const char* key :
       {"EFFECT", "LOCKS", "REWRITE", "SCAN", "DURATION", "DISK", "DATA LOST", "COMPAT", "ORDER"})
    text += "  " + padded(key, 12) + indented(step.header.field(key)) + "\n";
  for (const auto& check : step.prechecks) {
    text += "  " + padded("PRECHECK", 12) + indented(check.what) + "\n";
    if (check.findings.empty()) text += std::string(14, ' ') + "no row: ok\n";
    for (const auto& finding : check.findings)
      text += std::string(14, ' ') + "FOUND " + finding + "\n";
  }
  return text;
}

std::string processors_text(const store::MigrationPlan& plan) {
  if (plan.processors.empty()) return "live processors: none\n";
  std::string text = "live processors:\n";
  for (const auto& processor : plan.processors) {
    text += "  " + std::to_string(processor.id) + " " + processor.name + ", outboxd " +
            processor.program +
            (processor.could_live ? ": can live with the result\n"
                                  : ": CANNOT live with the result: stop or replace it first\n");
  }
  return text;
}

Json prechecks_json(const std::vector<store::Precheck>& checks) {
  Json all = Json::array();
  for (const auto& check : checks)
    all.push_back({{"check", check.what}, {"findings", check.findings}});
  return all;
}

Json header_json(const core::MigrationHeader& header) {
  Json fields = Json::object();
  for (const auto& [key, text] : header.fields) fields[key] = text;
  return fields;
}

}  // namespace

StatusCounts count(const std::vector<store::MigrationState>& states) {
  StatusCounts counts;
  for (const auto& state : states) {
    counts.pending += state.applied ? 0 : 1;
    counts.different += state.checksum_ok ? 0 : 1;
    counts.by_hand += state.applied && state.by_hand ? 1 : 0;
  }
  return counts;
}

std::string status_text(const std::vector<store::MigrationState>& states,
                        const std::optional<store::SchemaVersion>& schema) {
  std::string text;
  for (const auto& state : states)
    text += padded(migration_label(state.version, state.name), 24) + " " + words(state) + "\n";
  text += "the schema is at version " + std::to_string(schema ? schema->version : 0);
  if (schema)
    text += " and asks for programs built for " + std::to_string(schema->min_reader) + " or later";
  text += "; this program was built for " + std::to_string(store::schema_built_for()) +
          " and runs on " + std::to_string(store::kSchemaOldest) + " or later\n";
  return text;
}

Json status_json(const std::vector<store::MigrationState>& states,
                 const std::optional<store::SchemaVersion>& schema) {
  Json list = Json::array();
  for (const auto& state : states) {
    list.push_back({{"version", state.version},
                    {"name", state.name},
                    {"min_reader", state.min_reader},
                    {"applied", state.applied},
                    {"applied_at", json_text(state.applied_at)},
                    {"applied_by", json_text(state.applied_by)},
                    {"applied_via", json_text(state.applied_via)},
                    {"by_hand", state.by_hand},
                    {"known", state.known},
                    {"checksum_ok", state.checksum_ok}});
  }
  const auto counts = count(states);
  return {{"version", schema ? schema->version : 0},
          {"min_reader", schema ? Json(schema->min_reader) : Json(nullptr)},
          {"built_for", store::schema_built_for()},
          {"oldest", store::kSchemaOldest},
          {"pending", counts.pending},
          {"different", counts.different},
          {"by_hand", counts.by_hand},
          {"migrations", list}};
}

std::string plan_text(const store::MigrationPlan& plan, bool sql) {
  if (plan.steps.empty())
    return "nothing to do: the schema is at version " + std::to_string(plan.from) + "\n";
  std::string text = "from version " + std::to_string(plan.from) + " to " +
                     std::to_string(plan.to) + ": " + std::to_string(plan.steps.size()) +
                     " steps\n";
  for (const auto& step : plan.steps) text += step_text(step);
  text += "\n";
  for (const auto& check : plan.prechecks) {
    text += check.what + (check.findings.empty() ? ": none\n" : ":\n");
    for (const auto& finding : check.findings) text += "  FOUND " + finding + "\n";
  }
  text += processors_text(plan);
  if (!sql) return text + "the SQL: the same command with --sql\n";
  for (const auto& step : plan.steps)
    text += "\n-- " + migration_label(step.version, step.name) + "\n" + step.sql;
  return text;
}

Json plan_json(const store::MigrationPlan& plan) {
  Json steps = Json::array();
  for (const auto& step : plan.steps) {
    steps.push_back({{"version", step.version},
                     {"name", step.name},
                     {"direction", step.up ? "up" : "down"},
                     {"header", header_json(step.header)},
                     {"prechecks", prechecks_json(step.prechecks)},
                     {"sql", step.sql}});
  }
  Json processors = Json::array();
  for (const auto& processor : plan.processors) {
    processors.push_back({{"id", processor.id},
                          {"name", processor.name},
                          {"version", processor.program},
                          {"could_live", processor.could_live}});
  }
  return {{"from", plan.from},
          {"to", plan.to},
          {"clear", plan.clear()},
          {"steps", steps},
          {"prechecks", prechecks_json(plan.prechecks)},
          {"processors", processors}};
}

std::string verified_text(const std::vector<store::Verified>& all) {
  std::string text;
  for (const auto& one : all) {
    text += padded(migration_label(one.version, one.name), 24) +
            (one.problem.empty() ? " ok" : " FAILED: " + one.problem) + "\n";
  }
  return text.empty() ? "nothing is applied\n" : text;
}

Json verified_json(const std::vector<store::Verified>& all) {
  Json list = Json::array();
  for (const auto& one : all) {
    list.push_back({{"version", one.version},
                    {"name", one.name},
                    {"ok", one.problem.empty()},
                    {"problem", json_text(one.problem)}});
  }
  return list;
}

}  // namespace outbox::cli
