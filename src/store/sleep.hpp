// Falling asleep and being woken: NOTIFY is sent only while somebody sleeps, and no wake-up is
// lost. See DECISIONS, "waking up".
#pragma once

#include <chrono>

#include "store/database.hpp"

namespace outbox::store {

enum class Sleep {
  awake,     ///< Not now: a producer's transaction is open that would not notify.
  leader,    ///< Asleep, holding the locks that make producers notify.
  follower,  ///< Asleep; another processor holds the locks, and notifies when it lets go of them.
};

/// Subscribes this connection; not through a pooler.
void listen(Database& database);

/// Tries to take the 16 stripes exclusively. After leader or follower the caller must look for jobs
/// once more before it rests.
[[nodiscard]] Sleep fall_asleep(Database& database);

/// Lets go of what fall_asleep() took and said. A leader tells the followers, who rely on its
/// locks; also when a notification has woken it: one of them may have fallen asleep again before it
/// let go.
void wake_up(Database& database, Sleep sleep);

/// Notifies every processor: something became claimable that no INSERT announced.
void tell_everybody(Database& database);

enum class Woken { notified, by_descriptor, timeout };

/// What ended a wait, and what was told with it: jobs may have come together with any of it.
struct Waited {
  Woken by{};
  bool schema{false};  ///< The ledger of migrations has changed.
  bool kinds{false};   ///< Kinds were paused or resumed.
};

/// Waits for a notification, for `descriptor` to become readable, or for `most`. Throws
/// core::DbError when the connection is lost.
[[nodiscard]] Waited wait_for_notification(Database& database, int descriptor,
                                           std::chrono::milliseconds most);

}  // namespace outbox::store
