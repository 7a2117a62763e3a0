// One connection as the layers above see it: they hold it and hand it to the verbs of store/, and
// never see libpqxx.
#pragma once

#include <memory>
#include <string>

#include "core/fault.hpp"
#include "core/options.hpp"

namespace outbox::pg {
class Session;
}

namespace outbox::store {

class HandlerCalls;

/// What a connection is for: decides its planner settings and its time limit.
enum class Use {
  claims,    ///< Claims, groups and finishes: fixed plans, the statement timeout of the options.
  handlers,  ///< Handlers run here: within run() the server's planner settings and the timeout of
             ///< the kind; what settles a job brings fixed plans and the statement timeout of the
             ///< options along.
  chores,    ///< Rescue and retention: fixed plans, a minute for each statement.
  people,    ///< Commands and reports: the server's planner settings, the statement timeout of the
             ///< options.
};

/// Thread contract: constructed, used and destroyed on one thread. A lost connection stays lost:
/// build another.
class Database {
 public:
  /// Connects. `role` says in pg_stat_activity what it is for: "outboxd <version> <role>". Throws
  /// core::DbError.
  Database(const core::DatabaseOptions& options, const std::string& role, Use use);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] pg::Session& session() { return *session_; }
  /// For a cancel; 0 behind a transaction pooler, where it would hit whoever has the backend now.
  [[nodiscard]] int backend_pid() const;
  [[nodiscard]] int socket() const;
  /// Whether a transaction pooler stands between: no session locks, no LISTEN.
  [[nodiscard]] bool pooled() const;

 private:
  friend class HandlerCalls;
  std::unique_ptr<pg::Session> session_;
  const HandlerCalls* calls_{};  // those that calls_ready_ speaks of
  bool calls_ready_{false};
};

}  // namespace outbox::store
