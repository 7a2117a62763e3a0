// The ladder from libpqxx exceptions and SQLSTATEs to core::Fault.
//
//   08xxx                         outage    connection
//   25006                         outage    read-only: we are connected to a demoted server
//   57P01 … 57P05                 outage    the server ends or refuses sessions
//   25P03, 25P04                  outage    it has ended one whose transaction stood still, or took
//                                           too long
//   53xxx, 58030                  outage    disk full, too many connections, out of memory, I/O
//   error 54000 "wraparound"            outage    the database takes no writes; else a row is too
//   large 26000, 0A000 "cached plan"    outage    a prepared statement is gone or no longer fits
//   the table:
//                                           only a new session prepares it again
//   40001, 40P01                  conflict  run the transaction again
//   55P03                         busy      lock_timeout or NOWAIT
//   57014                         canceled  statement_timeout or pg_cancel_backend
//   all others                    rejected  the caller knows whose statement it was
#include "pg/fault.hpp"

#include <array>
#include <string>

#include <pqxx/pqxx>

namespace outbox::pg {

using core::DbError;
using core::Fault;

Fault classify(std::string_view sqlstate, std::string_view message) {
  struct Rule {
    std::string_view prefix;
    Fault fault;
    std::string_view only_with{};
  };
  static constexpr std::array kRules{
      Rule{"08", Fault::outage},      Rule{"25006", Fault::outage},
      Rule{"57P0", Fault::outage},    Rule{"53", Fault::outage},
      Rule{"25P03", Fault::outage},   Rule{"25P04", Fault::outage},
      Rule{"58030", Fault::outage},   Rule{"54000", Fault::outage, "wraparound"},
      Rule{"26000", Fault::outage},   Rule{"0A000", Fault::outage, "cached plan"},
      Rule{"40001", Fault::conflict}, Rule{"40P01", Fault::conflict},
      Rule{"55P03", Fault::busy},     Rule{"57014", Fault::canceled},
  };
  for (const auto& rule : kRules) {
    if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix &&
        message.find(rule.only_with) != std::string_view::npos)
      return rule.fault;
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
  } catch (const pqxx::insufficient_privilege& e) {
    throw DbError{Fault::rejected, "42501", e.what()};  // 6.4 does not pass the state on
  } catch (const pqxx::sql_error& e) {
    throw DbError{classify(e.sqlstate(), e.what()), e.sqlstate(), e.what()};
  } catch (const pqxx::usage_error& e) {
    throw DbError{Fault::bug, {}, e.what()};
  } catch (const pqxx::failure& e) {
    throw DbError{Fault::rejected, {}, e.what()};
  }
}

}  // namespace outbox::pg
