// Queues as people and metrics see them: how much waits, since when; pausing and resuming.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "observe/events.hpp"
#include "store/database.hpp"
#include "store/moment.hpp"
#include "store/stated.hpp"

namespace outbox::store {

/// Live jobs of one queue by state. Counts stop at the cap for each of the 4 priorities; `capped`
/// says that one did.
struct QueueStatus {
  std::string name;
  std::optional<Moment> paused_at;
  std::int64_t waiting{};    ///< Due and not claimed, whether paused or not.
  std::int64_t claimed{};    ///< By a processor that is alive.
  std::int64_t stranded{};   ///< Claimed by a dead one.
  std::int64_t scheduled{};  ///< Not due yet, never tried.
  std::int64_t retrying{};   ///< Not due yet, after a failure.
  bool capped{};
  double
      oldest_wait_seconds{};  ///< Of the waiting one that has been due longest; 0 when none waits.
};

/// Queues that have a row or live jobs, by name; at most kQueuesMost that have only jobs. The price
/// grows with the number of queues and with `cap`: at most 8 * cap index entries for each. When
/// that takes longer than the statement timeout, it is done again with a hundredth of the cap.
/// Throws core::DbError.
[[nodiscard]] std::vector<QueueStatus> queue_statuses(Database& database, int cap);

inline constexpr int kQueuesMost = 1'000;
inline constexpr int kCapForPeople = 100'000;
inline constexpr int kCapForMetrics = 10'000;

/// The same for observe::Events::queue_depth, with kCapForMetrics.
[[nodiscard]] std::vector<observe::QueueDepth> queue_depths(Database& database);

struct Paused {
  Moment since;
  bool was_paused{};
  bool known{};  ///< Whether a row or a live job named this queue before; if not, it may be a
                 ///< typing error.
};

/// Stops claims from the queue; running jobs go on. Makes the row if there is none. The name must
/// have 1 to 63 characters (rejected by a CHECK constraint otherwise). Throws core::DbError.
[[nodiscard]] Paused queue_pause(Database& database, const std::string& name,
                                 const Stated& stated = {});

enum class ResumeEnd {
  resumed,
  not_paused,  ///< Nothing to do.
  not_found,   ///< No row and no live job names it.
};

/// Reads what outbox.resume and outbox.resume_kind answer.
[[nodiscard]] ResumeEnd to_resume_end(const std::string& result);

/// Lets claims go on, and wakes sleeping processors. Throws core::DbError.
[[nodiscard]] ResumeEnd queue_resume(Database& database, const std::string& name,
                                     const Stated& stated = {});

}  // namespace outbox::store
