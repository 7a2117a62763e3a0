// The ladder from libpqxx exceptions and SQLSTATEs to core::Fault.
//
//   SQLSTATE                          fault     why
//   08xxx                             outage    connection
//   25006                             outage    read-only: we are connected to a demoted server
//   57P01 57P02 57P03 57P04 57P05     outage    the server ends or refuses sessions
//   53xxx, 58030, 54000 (wraparound)  outage    disk full, too many connections, out of memory, I/O
//   error 40001 40P01                       conflict  run the transaction again 0A000 "cached
//   plan", 26000        conflict  DDL changed a prepared statement; nothing was executed 55P03 busy
//   lock_timeout or NOWAIT 57014                             canceled  statement_timeout or
//   pg_cancel_backend 42601 42P02 … of ours             rejected  (the caller knows whose statement
//   it was)
#include "pg/fault.hpp"

#include <array>
#include <string>

#include <pqxx/pqxx>

namespace outbox::pg {

using core::DbError;
using core::Fault;

Fault classify(std::string_view sqlstate) {
  struct Rule {
    std::string_view prefix;
    Fault fault;
  };
  static constexpr std::array kRules{
      Rule{"08", Fault::outage},      Rule{"25006", Fault::outage},
      Rule{"57P0", Fault::outage},    Rule{"53", Fault::outage},
      Rule{"58030", Fault::outage},   Rule{"54000", Fault::outage},
      Rule{"40001", Fault::conflict}, Rule{"40P01", Fault::conflict},
      Rule{"26000", Fault::conflict}, Rule{"55P03", Fault::busy},
      Rule{"57014", Fault::canceled},
  };
  for (const auto& rule : kRules) {
    if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix) return rule.fault;
  }
  return Fault::rejected;
}

void rethrow_classified() {
  try {
    throw;
  } catch (const pqxx::in_doubt_error& e) {
    throw DbError{Fault::in_doubt, {}, e.what()};
  } catch (const pqxx::broken_connection& e) {
    throw DbError{Fault::outage, "08006", e.what()};
  } catch (const pqxx::deadlock_detected& e) {
    throw DbError{Fault::conflict, "40P01", e.what()};
  } catch (const pqxx::transaction_rollback& e) {
    throw DbError{Fault::conflict, "40001", e.what()};
  } catch (const pqxx::sql_error& e) {
    const std::string& state = e.sqlstate();
    const bool stale_plan = state == "0A000" && std::string_view{e.what()}.find("cached plan") !=
                                                    std::string_view::npos;
    throw DbError{stale_plan ? Fault::conflict : classify(state), state, e.what()};
  } catch (const pqxx::usage_error& e) {
    throw DbError{Fault::bug, {}, e.what()};
  } catch (const pqxx::failure& e) {
    throw DbError{Fault::rejected, {}, e.what()};
  }
}

}  // namespace outbox::pg
