// Gives a job up because a person asked for it: it goes to the dead letters, from where it can be
// retried. What people do from psql (outbox.discard of migration 0004) and from here is the same.
#pragma once

#include <string>

#include "store/database.hpp"
#include "store/stated.hpp"

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
  std::string result;   ///< The same as one word, for programs.
  std::string message;  ///< The same for people.
  int processor{};      ///< Who runs it, for claimed.
  std::string holder;   ///< Its name; may be empty.
};

/// A job claimed by a dead processor may be discarded too; its claim token then no longer matches
/// anything, so a zombie's late result is refused. Throws core::DbError; busy when its row stays
/// locked for 2 s.
[[nodiscard]] Discarded jobs_discard(Database& database, std::int64_t id,
                                     const Stated& stated = {});

}  // namespace outbox::store
