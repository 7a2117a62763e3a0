// SQL of the handler check; nothing is executed, only looked up and prepared.
#include "store/handler_check.hpp"

#include <optional>

#include "pg/session.hpp"

namespace outbox::store {

namespace {

// The longest signature that exists wins; the name is parsed by the server, so that it is quoted
// right.
constexpr pg::Statement kResolve{"resolve_function", R"(/* outbox:resolve_function */
SELECT format('SELECT %s(%s)', p.oid::regproc, s.arguments)
  FROM (VALUES (4, '(jsonb,bigint,integer,jsonb)', '$1, $2, $3, $4'), (3, '(jsonb,bigint,integer)', '$1, $2, $3'),
               (2, '(jsonb,bigint)', '$1, $2'), (1, '(jsonb)', '$1')) AS s (n, signature, arguments)
  JOIN pg_proc p ON p.oid = to_regprocedure($1 || s.signature)
 ORDER BY s.n DESC LIMIT 1)"};

constexpr pg::Statement kRole{"may_use_role", R"(/* outbox:may_use_role */
SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = $1 AND pg_has_role(current_user, r.oid, 'MEMBER')))"};

std::optional<std::string> resolve(pg::Session& session, const std::string& function) {
  const auto result = session.run(kResolve, function);
  if (pg::count(result) == 0) return std::nullopt;
  return pg::text(result[0][0]);
}

/// Error text of preparing `statement`, or nothing. PREPARE allows one statement only, and checks
/// names and types.
std::string prepare_error(pg::Session& session, const std::string& statement) {
  try {
    session.run_script("PREPARE outboxd_check (jsonb, bigint, integer, jsonb) AS " + statement);
    session.run_script("DEALLOCATE outboxd_check");
    return {};
  } catch (const core::DbError& e) {
    if (e.session_lost()) throw;
    return e.what();
  }
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

CheckedHandlers check_handlers(Database& database,
                               const std::map<std::string, core::KindOptions>& kinds) {
  auto& session = database.session();
  CheckedHandlers out;
  for (const auto& [kind, options] : kinds) {
    if (!options.sql) continue;
    std::string statement = options.sql->statement;
    if (!options.sql->function.empty()) {
      const auto resolved = resolve(session, options.sql->function);
      if (!resolved) {
        out.errors.push_back("kind " + kind + ": there is no function " + options.sql->function +
                             "(jsonb[, bigint[, integer[, jsonb]]]) in this database");
        continue;
      }
      statement = *resolved;
    }
    if (const auto error = prepare_error(session, statement); !error.empty()) {
      out.errors.push_back("kind " + kind +
                           ": its sql is not valid in this database: " + first_line(error));
      continue;
    }
    if (!options.sql->role.empty() && !session.run(kRole, options.sql->role)[0][0].as<bool>()) {
      out.errors.push_back("kind " + kind + ": this session may not use the role " +
                           options.sql->role + ", or there is none");
      continue;
    }
    out.statements[kind] = statement;
  }
  return out;
}

}  // namespace outbox::store
