// One setting for the connections of people. Same thread as the connection.
#pragma once

#include "store/database.hpp"

namespace outbox::store {

/// Switches JIT compilation off for this connection: the history's 32 partitions make short reports
/// look so costly that the server would compile for half a second. Does nothing behind a pooler,
/// where the setting would stay with others. Throws core::DbError.
void no_jit(Database& database);

}  // namespace outbox::store
