// An SQL handler, and how a session calls it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/database.hpp"

namespace outbox::store {

/// One function in a session's own schema, pg_temp, that calls every handler that is a function, by
/// number: what a function calls is planned once for a connection, the text of a handler for every
/// job. Constant; thread contract: any thread, each with its own Database.
class HandlerCalls {
 public:
  struct Call {
    std::string expression;  ///< One function with $1 to $4.
    bool scalar{};
  };
  /// Their numbers are their places, from 1.
  explicit HandlerCalls(const std::vector<Call>& calls);

  /// Whether this connection can call by number: makes the function at its first use. False behind
  /// a pooler and without the privilege TEMP: handlers then run by their text. Throws core::DbError
  /// when the connection is lost.
  bool ready(Database& database) const;

 private:
  [[nodiscard]] bool make(Database& database) const;
  std::string body_;
};

/// What the statement of a handler is.
enum class SqlForm {
  statement,  ///< Anything.
  function,   ///< SELECT of one function.
  scalar,     ///< SELECT of one function that returns one plain value, or void: it can be called
              ///< without an executor.
};

struct SqlBody {
  std::string statement;
  std::string role{};  ///< Empty: the session's own.
  SqlForm form{SqlForm::statement};
  int number{0};  ///< In `calls`; 0: none.
  std::shared_ptr<const HandlerCalls> calls{};
};

/// What outbox.guard gets: the number, where this connection can call by it, or 0.
[[nodiscard]] int number_for(Database& database, const SqlBody& body);

/// Numbers those that are functions.
void number_calls(std::span<SqlBody* const> bodies);

}  // namespace outbox::store
