// Who is alive: registering, heartbeats, marking others dead, and giving back what the dead had
// claimed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/options.hpp"
#include "store/database.hpp"

namespace outbox::store {

struct Registration {
  std::string name;
  std::string version;
  int built_for{};      ///< Schema version.
  int oldest_schema{};  ///< Oldest schema version that it can run on.
  int pid{};
  std::vector<std::string> queues;
  std::vector<std::string> kinds;
  core::milliseconds dead_after{};
};

/// Takes the session lock of a new id (not through a pooler) and inserts its row. The lock lives as
/// long as this connection.
[[nodiscard]] int register_processor(Database& database, const Registration& registration);

/// Takes the session lock again on a new connection. False: somebody is just looking at it; try
/// again at the next beat.
[[nodiscard]] bool retake_session_lock(Database& database, int processor);

struct Death {
  int id{};
  std::string name;
  std::string reason;
};
struct Beat {
  bool
      alive{};  ///< False: this processor was marked dead; it must stop claiming and register anew.
  std::vector<Death> deaths;  ///< Others that this beat marked dead.
  bool dead_waiting{};        ///< One died in the last 10 minutes: rescue() may have work.
};

/// One statement: says that this processor lives, and marks those dead whose lock is gone or whose
/// heartbeat is late.
[[nodiscard]] Beat beat(Database& database, int processor);

/// Removes the row when every claim was given back; else marks it dead, so that others rescue them.
enum class Left { nothing, claims };
void leave(Database& database, int processor, Left left);

struct Rescued {
  std::int64_t id{};
  std::string queue;
  std::string kind;
  int attempt{};
  int crashes{};
  bool buried{};  ///< It used up its crashes and went to the dead letters.
};

/// Gives back up to `most` claims of processors that are marked dead, each charged one crash and
/// marked suspect; those with `max_crashes` go to the dead letters. Fewer than `most` rows: nothing
/// is left that is not locked just now.
[[nodiscard]] std::vector<Rescued> rescue(Database& database, int processor, int max_crashes,
                                          int most);

/// Forgets processors that have been dead for a day and hold nothing. Reads all of jobs when there
/// are any: not for a tight loop.
int forget_dead(Database& database);

/// Cancels what a session of ours is running. False: it is gone.
bool cancel_backend(Database& database, int backend_pid);

}  // namespace outbox::store
