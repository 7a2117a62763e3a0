// Kinds: which are paused, pausing and resuming them, for processors and for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"
#include "store/moment.hpp"
#include "store/queues.hpp"
#include "store/stated.hpp"

namespace outbox::store {

/// Names of the kinds of which nothing is to be claimed, in order. Throws core::DbError.
[[nodiscard]] std::vector<std::string> paused_kinds(Database& database);

/// Stops claims of the kind in every queue, and tells the processors; running jobs go on. A pause
/// that is there keeps its moment and its reason. `known`: somebody has paused it before, or a
/// processor of the last day can run it. The name must have 1 to 63 characters (rejected by a CHECK
/// constraint otherwise). Throws core::DbError.
Paused pause_kind(Database& database, const std::string& kind, const Stated& stated = {});

/// Lets claims go on, and wakes sleeping processors; not_found: nobody has paused it, and no
/// processor of the last day can run it. Throws core::DbError.
[[nodiscard]] ResumeEnd resume_kind(Database& database, const std::string& kind,
                                    const Stated& stated = {});

struct KindStatus {
  std::string name;
  std::int64_t processors{};  ///< Living ones that can run it.
  std::optional<Moment> paused_at;
  std::string paused_why;  ///< Empty: not paused, or nothing was said.
};

/// Kinds that somebody has paused or that a living processor can run, by name; at most kKindsMost.
/// Throws core::DbError.
[[nodiscard]] std::vector<KindStatus> kind_statuses(Database& database);

inline constexpr int kKindsMost = 10'000;

}  // namespace outbox::store
