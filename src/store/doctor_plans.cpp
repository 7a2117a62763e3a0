// The doctor on plans: the statements that a processor really sends, on a session like its own.
#include "store/doctor_plans.hpp"

#include <cctype>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "store/doctor_check.hpp"
#include "store/statements.hpp"

namespace outbox::store::doctor {

namespace {

using nlohmann::json;

int parameters_of(std::string_view sql) {
  int most = 0;
  for (auto at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
    int number = 0;
    for (auto i = at + 1; i < sql.size() && std::isdigit(static_cast<unsigned char>(sql[i])) != 0;
         ++i)
      number = number * 10 + (sql[i] - '0');
    most = std::max(most, number);
  }
  return most;
}

/// As a processor sends it: a hot session plans generically, whatever the arguments.
json plan_of(Database& hot, const pg::Statement& statement) {
  auto& session = hot.session();
  const std::string name{statement.name};
  std::string arguments;
  for (int i = 0; i < parameters_of(statement.sql); ++i) arguments += i == 0 ? "NULL" : ", NULL";
  if (!arguments.empty()) arguments = "(" + arguments + ")";
  session.run_script("PREPARE " + name + " AS " + statement.sql);
  const auto rows = session.transact([&](pqxx::work& tx) {
    tx.exec(kBounded);
    return tx.exec("EXPLAIN (FORMAT JSON) EXECUTE " + name + arguments);
  });
  return json::parse(pg::text(rows[0][0])).at(0).at("Plan");
}

struct Seen {
  std::set<std::string> scans;  // of outbox.jobs: names of indexes, or the kind of scan
  bool sorts{false};
};

void look_at(const json& node, Seen& seen) {
  const auto type = node.at("Node Type").get<std::string>();
  if (type.find("Sort") != std::string::npos) seen.sorts = true;
  if (node.value("Relation Name", "") == "jobs" && type != "ModifyTable")
    seen.scans.insert(node.value("Index Name", type));
  if (!node.contains("Plans")) return;
  for (const auto& child : node.at("Plans")) look_at(child, seen);
}

/// Empty when it is as expected.
std::string wrong_with(const ExpectedPlan& expected, const Seen& seen) {
  std::string wrong;
  if (seen.sorts) wrong = "sorts";
  if (seen.scans.count(expected.scan) == 0)
    wrong += (wrong.empty() ? "" : ", ") + std::string{"does not use "} + expected.scan;
  for (const auto& scan : seen.scans) {
    if (scan != expected.scan && scan != "Tid Scan")
      wrong += (wrong.empty() ? "" : ", ") + std::string{"reads outbox.jobs by "} + scan;
  }
  return wrong;
}

}  // namespace

Findings check_plans(Checkup& checkup) try {
  if (checkup.database.pooled()) {
    return {skipped("plans", "through a pooler sessions plan with whatever settings they have",
                    "run doctor with the server's own address")};
  }
  auto hot = checkup.open(Use::claims);
  Findings out;
  for (const auto& statement : statements()) {
    for (const auto& expected : kExpectedPlans) {
      if (std::string_view{expected.statement} != statement.name) continue;
      Seen seen;
      look_at(plan_of(hot, statement), seen);
      const auto wrong = wrong_with(expected, seen);
      if (wrong.empty()) continue;
      out.push_back(
          problem("plans", "statement " + std::string{statement.name} + " " + wrong,
                  "its price grows with the table: a backlog makes every claim slower",
                  "ANALYZE outbox.jobs; -- after what the checks drift and indexes say is mended"));
    }
  }
  return or_ok(
      std::move(out), "plans",
      std::to_string(kExpectedPlans.size()) + " statements use their index, none scans or sorts");
} catch (const core::DbError& e) {
  if (e.sqlstate() != "42501") throw;
  const auto what = "this role may not claim and finish jobs: " + message_of(e);
  if (checkup.settings.as_processor) {
    return {problem("plans", what, "a processor with this connection fails at its work",
                    "SELECT outbox.grant_roles(); -- and GRANT outbox_runtime TO the role")};
  }
  return {skipped("plans", what,
                  "run doctor as a processor's role (member of outbox_runtime) or as the schema's "
                  "owner")};
}

}  // namespace outbox::store::doctor
