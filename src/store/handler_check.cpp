// SQL of the handler check; nothing is executed, only looked up and prepared.
#include "store/handler_check.hpp"

#include <optional>

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// The longest signature that exists wins; the name is parsed by the server. The answer is
// qualified, so that a search_path that some handler changed does not decide what runs.
constexpr pg::Statement kResolve{"resolve_function", R"(/* outbox:resolve_function */
SELECT format('SELECT %I.%I(%s)', n.nspname, p.proname, s.arguments),
       NOT p.proretset AND p.prokind = 'f' AND (t.typtype IN ('b', 'e') OR p.prorettype = 'void'::regtype)
  FROM (VALUES (4, '(jsonb,bigint,integer,jsonb)', '$1, $2, $3, $4'), (3, '(jsonb,bigint,integer)', '$1, $2, $3'),
               (2, '(jsonb,bigint)', '$1, $2'), (1, '(jsonb)', '$1')) AS s (n, signature, arguments)
  JOIN pg_proc p ON p.oid = to_regprocedure($1 || s.signature)
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_type t ON t.oid = p.prorettype
 ORDER BY s.n DESC LIMIT 1)"};

constexpr pg::Statement kRole{"may_use_role", R"(/* outbox:may_use_role */
SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = $1 AND pg_has_role(current_user, r.oid, 'MEMBER')))"};

/// A name that is no name ("a b", "a.b.c.d") makes the server raise; to the caller it does not
/// exist.
std::optional<SqlBody> resolve(pg::Session& session, const std::string& function) {
  try {
    const auto result = session.run(kResolve, function);
    if (pg::count(result) == 0) return std::nullopt;
    return SqlBody{.statement = pg::text(result[0][0]),
                   .form = result[0][1].as<bool>() ? SqlForm::scalar : SqlForm::function};
  } catch (const core::DbError& e) {
    if (e.fault() != core::Fault::rejected) throw;
    return std::nullopt;
  }
}

/// Error text of preparing `statement`, or nothing. The parameters' protocol takes one command
/// only: without it, what stands behind a semicolon would be executed.
std::string prepare_error(pg::Session& session, const std::string& statement) {
  try {
    return session.transact([&](pqxx::work& tx) -> std::string {
      const std::string prepare =
          "PREPARE outboxd_check (jsonb, bigint, integer, jsonb) AS " + statement;
      pg::exec_params(tx, prepare.c_str());
      // PREPARE adds parameters that are not declared; at run time there are none.
      const auto parameters =
          tx.exec(
                "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = "
                "'outboxd_check'")[0][0]
              .as<int>();
      tx.exec("DEALLOCATE outboxd_check");
      if (parameters <= 4) return {};
      return "there is no parameter $" + std::to_string(parameters) +
             ", only $1 (payload), $2 (id), $3 (attempt) and $4 (headers)";
    });
  } catch (const core::DbError& e) {
    if (e.fault() != core::Fault::rejected) throw;  // it was not judged: a lock or an outage
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
    SqlBody body{.statement = options.sql->statement};
    if (!options.sql->function.empty()) {
      const auto resolved = resolve(session, options.sql->function);
      if (!resolved) {
        out.errors.push_back("kind " + kind + ": there is no function " + options.sql->function +
                             "(jsonb[, bigint[, integer[, jsonb]]]) in this database");
        continue;
      }
      body = *resolved;
    }
    if (const auto error = prepare_error(session, body.statement); !error.empty()) {
      out.errors.push_back("kind " + kind +
                           ": its sql is not valid in this database: " + first_line(error));
      continue;
    }
    if (!options.sql->role.empty() && !session.run(kRole, options.sql->role)[0][0].as<bool>()) {
      out.errors.push_back("kind " + kind + ": this session may not use the role " +
                           options.sql->role + ", or there is none");
      continue;
    }
    body.role = options.sql->role;
    out.bodies[kind] = body;
  }
  return out;
}

std::vector<pg::Statement> handler_check_statements() { return {kResolve, kRole}; }

}  // namespace outbox::store
