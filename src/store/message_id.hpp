// The ids that external receivers see.
#pragma once

#include <string>

#include "store/database.hpp"

namespace outbox::store {

/// What the ids of all messages of this database begin with: "msg_0123456789abcdef_"; the job's id
/// follows. As outbox.message_id() makes them. Throws core::DbError.
[[nodiscard]] std::string message_prefix(Database& database);

}  // namespace outbox::store
