// SQL of the function that calls handlers by number.
#include "store/sql_body.hpp"

#include <string_view>

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// No table of ours.
constexpr pg::Statement kMayMake{"may_make_calls", R"(/* outbox:may_make_calls */
SELECT has_database_privilege(current_database(), 'TEMP'))"};

/// A tree of decisions: a program may have hundreds of kinds.
void dispatch(std::string& out, std::span<const HandlerCalls::Call> calls, std::size_t first) {
  if (calls.size() == 1) {
    out.append(calls[0].scalar ? "ignored := " : "PERFORM ")
        .append(calls[0].expression)
        .append(";\n");
    return;
  }
  const auto half = calls.size() / 2;
  out.append("IF $5 < ").append(std::to_string(first + half)).append(" THEN\n");
  dispatch(out, calls.first(half), first);
  out.append("ELSE\n");
  dispatch(out, calls.subspan(half), first + half);
  out.append("END IF;\n");
}

}  // namespace

HandlerCalls::HandlerCalls(const std::vector<Call>& calls) {
  body_ = "\n#variable_conflict use_column\nDECLARE\n  ignored text;\nBEGIN\n";
  if (!calls.empty()) dispatch(body_, calls, 1);
  body_ += "RETURN 0;\nEND ";
}

bool HandlerCalls::ready(Database& database) const {
  if (database.calls_ != this) {
    database.calls_ready_ = make(database);
    database.calls_ = this;
  }
  return database.calls_ready_;
}

bool HandlerCalls::make(Database& database) const {
  auto& session = database.session();
  if (session.pooled()) return false;
  try {
    if (!session.run(kMayMake)[0][0].as<bool>()) return false;
    session.run_script(
        "CREATE OR REPLACE FUNCTION pg_temp.outbox_call(jsonb, bigint, integer, jsonb, integer) "
        "RETURNS integer LANGUAGE plpgsql AS " +
        session.raw().quote(body_) +
        "; GRANT EXECUTE ON FUNCTION pg_temp.outbox_call(jsonb, bigint, integer, jsonb, integer) "
        "TO PUBLIC");  // roles of handlers, where default privileges say otherwise
    return true;
  } catch (const core::DbError& e) {
    if (e.session_lost()) throw;
    return false;
  }
}

int number_for(Database& database, const SqlBody& body) {
  return body.number > 0 && body.calls->ready(database) ? body.number : 0;
}

void number_calls(std::span<SqlBody* const> bodies) {
  static constexpr std::string_view kSelect{"SELECT "};
  std::vector<HandlerCalls::Call> functions;
  for (auto* body : bodies) {
    if (body->form == SqlForm::statement) continue;
    functions.push_back({body->statement.substr(kSelect.size()), body->form == SqlForm::scalar});
    body->number = static_cast<int>(functions.size());
  }
  if (functions.empty()) return;
  const auto calls = std::make_shared<const HandlerCalls>(functions);
  for (auto* body : bodies) {
    if (body->number > 0) body->calls = calls;
  }
}

std::vector<pg::Statement> sql_body_statements() { return {kMayMake}; }

}  // namespace outbox::store
