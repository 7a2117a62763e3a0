// How a failed database call is to be met: the closed set that pg/ maps every error to. Pure.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::core {

enum class Fault {
  outage,    ///< The server is away, restarting, read-only or full, or the session has lost its
             ///< prepared statements: wait and reconnect; no attempt is burned.
  in_doubt,  ///< The connection was lost during COMMIT: look at the row before doing anything.
  conflict,  ///< Serialization failure or deadlock: roll back and run again at once.
  busy,      ///< A lock was not to be had in time: run again later.
  canceled,  ///< statement_timeout, or somebody cancelled the statement.
  rejected,  ///< The statement itself is wrong for the data: running it again changes nothing.
  bug,       ///< outboxd used the database wrongly.
};

[[nodiscard]] constexpr const char* to_text(Fault fault) {
  switch (fault) {
    case Fault::outage:
      return "outage";
    case Fault::in_doubt:
      return "in_doubt";
    case Fault::conflict:
      return "conflict";
    case Fault::busy:
      return "busy";
    case Fault::canceled:
      return "canceled";
    case Fault::rejected:
      return "rejected";
    case Fault::bug:
      return "bug";
  }
  return "bug";
}

/// The only exception that leaves pg/ and store/. `what()` is the server's text, without secrets.
class DbError : public std::runtime_error {
 public:
  DbError(Fault fault, std::string sqlstate, const std::string& message)
      : std::runtime_error{message}, fault_{fault}, sqlstate_{std::move(sqlstate)} {}

  [[nodiscard]] Fault fault() const { return fault_; }
  [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }

  /// Whether the session that threw it must be replaced.
  [[nodiscard]] bool session_lost() const {
    return fault_ == Fault::outage || fault_ == Fault::in_doubt;
  }

  /// Whether the connection itself went, or the server ended the session: it may have been done by
  /// what ran there. Else, of an outage, the server is there and refuses.
  [[nodiscard]] bool connection_lost() const {
    const std::string_view state{sqlstate_};
    return session_lost() && (state.empty() || state.starts_with("08") ||
                              state.starts_with("57P") || state.starts_with("25P0"));
  }

  /// Whether what was sent may have been done all the same: the connection was lost, or the error
  /// came up on our side, with no word from the server that it undid the statement.
  [[nodiscard]] bool unsure() const { return session_lost() || sqlstate_.empty(); }

 private:
  Fault fault_;
  std::string sqlstate_;
};

}  // namespace outbox::core
