// Gives a job up because a person asked for it: it goes to the dead letters, from where it can be
// retried.
#pragma once

#include <string>
#include <string_view>

#include "store/database.hpp"

namespace outbox::store {

/// What became of the wish; only the first one changed anything.
enum class DiscardEnd {
  discarded,     ///< It is a dead letter now, with reason "discarded" and no processor.
  claimed,       ///< Refused: a processor that is alive runs it.
  already_dead,  ///< Refused: it is a dead letter already.
  finished,      ///< Refused: it has finished.
  not_found,     ///< No table has the id.
};

struct Discarded {
  DiscardEnd end{DiscardEnd::not_found};
  int processor{};     ///< Who runs it, for claimed.
  std::string holder;  ///< Its name; may be empty.
};

/// `why` is for people and may be empty; clipped to core::kLastErrorBytesMax. A job claimed by a
/// dead processor may be discarded too; its claim token then no longer matches anything, so a
/// zombie's late result is refused. Throws core::DbError; busy when its row stays locked for 2 s.
[[nodiscard]] Discarded jobs_discard(Database& database, std::int64_t id, std::string_view why);

}  // namespace outbox::store
