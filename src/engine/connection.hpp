// A connection that its thread opens when it first needs it and drops when it is lost.
#pragma once

#include <optional>
#include <string>

#include "core/options.hpp"
#include "core/pacing.hpp"
#include "engine/jitter.hpp"
#include "observe/events.hpp"
#include "store/database.hpp"

namespace outbox::engine {

class Connection {
 public:
  Connection(const core::DatabaseOptions& options, observe::Events& events, std::string role,
             store::Use use)
      : options_{options}, events_{events}, role_{std::move(role)}, use_{use} {}

  /// Connects if needed. Throws core::DbError.
  [[nodiscard]] store::Database& get() {
    if (!database_) {
      database_.emplace(options_, role_, use_);
      if (down_since_) {
        events_.db_recovered(role_, std::chrono::duration_cast<core::milliseconds>(
                                        core::Clock::now() - *down_since_));
        down_since_.reset();
      }
      reconnect_.reset();
    }
    return *database_;
  }

  /// Logs the error, drops the connection if it is lost, and tells how long to wait before the next
  /// try.
  [[nodiscard]] core::milliseconds failed(const core::DbError& error) {
    events_.db_error(role_, to_text(error.fault()), error.sqlstate(), error.what());
    if (!error.session_lost()) return jittered(core::milliseconds{20});
    if (!down_since_) down_since_ = core::Clock::now();
    database_.reset();
    return reconnect_.next();
  }

  void close() { database_.reset(); }

 private:
  const core::DatabaseOptions& options_;
  observe::Events& events_;
  const std::string role_;
  const store::Use use_;
  std::optional<store::Database> database_;
  std::optional<core::Clock::time_point> down_since_;
  ReconnectWait reconnect_;
};

}  // namespace outbox::engine
