// Payload and headers of a job whose claim left them behind, because many large ones at once would
// not be bounded by anything.
#pragma once

#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Reads them into `claimed.job`. False: the job is not this claim's any more. Throws
/// core::DbError.
[[nodiscard]] bool fetch_content(Database& database, int processor, Claimed& claimed);

/// Gives their memory back: the job waits for its end to be written, and the database has them.
void drop_content(Claimed& claimed);

}  // namespace outbox::store
