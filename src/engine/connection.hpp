// A connection that its thread opens when it first needs it and drops when it is lost.
#pragma once

#include <algorithm>
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
      connected_at_ = core::Clock::now();
    }
    return *database_;
  }

  /// Logs the error, drops the connection if it is lost, and tells how long to wait before the next
  /// try: longer each time, unless the connection has worked for a while. A server that lets us in
  /// and then refuses everything must not be asked hundreds of times a second.
  [[nodiscard]] core::milliseconds failed(const core::DbError& error) {
    events_.db_error(role_, to_text(error.fault()), error.sqlstate(), error.what());
    if (!error.session_lost()) return jittered(core::milliseconds{20});
    const auto now = core::Clock::now();
    if (!down_since_) down_since_ = now;
    if (database_ && now - connected_at_ > kWorked) reconnect_.reset();
    database_.reset();
    const auto wait = reconnect_.next();
    not_before_ = now + wait;
    return wait;
  }

  /// How much of that wait is left; for those who may be woken while they wait.
  [[nodiscard]] core::milliseconds rest() const {
    const auto left = std::chrono::ceil<core::milliseconds>(not_before_ - core::Clock::now());
    return std::max(left, core::milliseconds{0});
  }

  void close() { database_.reset(); }

 private:
  const core::DatabaseOptions& options_;
  observe::Events& events_;
  const std::string role_;
  const store::Use use_;
  std::optional<store::Database> database_;
  static constexpr core::milliseconds kWorked{1'000};

  std::optional<core::Clock::time_point> down_since_;
  core::Clock::time_point connected_at_{};
  core::Clock::time_point not_before_{};
  ReconnectWait reconnect_;
};

}  // namespace outbox::engine
