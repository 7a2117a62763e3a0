// The direct lane: claim, guarded handler, finish and failure of a whole group of sql jobs in one
// statement and one commit.
#pragma once

#include <string>
#include <vector>

#include "core/options.hpp"
#include "store/claimed.hpp"
#include "store/database.hpp"
#include "store/sql_body.hpp"

namespace outbox::store {

/// An sql kind as the statement needs it.
struct DirectKind {
  std::string kind;
  SqlBody body;
  core::Backoff backoff;
  core::milliseconds timeout{};
};

struct DirectRequest {
  int processor{};
  std::string queue;
  int most{1};  ///< 1 to core::kGroupMax.
  bool history{true};
};

enum class DirectOutcome { done, retry, snooze, dead };

struct DirectJob {
  std::int64_t id{};
  std::size_t kind{};  ///< Index into the kinds of the request.
  DirectOutcome outcome{};
  int attempt{};
  core::microseconds waited{};
  core::microseconds ran{};
  core::milliseconds delay{};  ///< Of a retry or snooze.
  std::string reason;          ///< Of a dead one: attempts, discarded or expired.
  std::string sqlstate;        ///< Empty when done.
  std::string error;           ///< Empty when done.
};

/// The kinds as array parameters, built once: they do not change between groups.
class DirectKinds {
 public:
  explicit DirectKinds(std::vector<DirectKind> kinds);
  [[nodiscard]] const std::vector<DirectKind>& all() const { return kinds_; }
  [[nodiscard]] core::milliseconds shortest_timeout() const;

 private:
  [[nodiscard]] const std::string& numbers(Database& database) const;
  friend std::vector<DirectJob> run_group(Database&, const DirectRequest&, const DirectKinds&, From,
                                          Cursor&);
  std::vector<DirectKind> kinds_;
  std::string names_, statements_, roles_, numbers_, first_ms_, factors_, cap_ms_, jitters_;
  std::string no_numbers_;                     // zeros
  std::shared_ptr<const HandlerCalls> calls_;  // of those that have a number
};

/// Limits every further statement of this connection: a group must not outlast the timeout of any
/// of its kinds.
void limit_groups(Database& database, core::milliseconds most);

/// Handles up to `most` due jobs, from the start of the index or from `cursor` on, and advances it.
/// All or nothing: throws core::DbError when the group was undone, for a conflict, a cancel, a
/// failed commit or a lost connection.
[[nodiscard]] std::vector<DirectJob> run_group(Database& database, const DirectRequest& request,
                                               const DirectKinds& kinds, From from, Cursor& cursor);

}  // namespace outbox::store
