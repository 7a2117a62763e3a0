// Every database error becomes one core::DbError, in one place.
#pragma once

#include <string_view>

#include "core/fault.hpp"

namespace outbox::pg {

/// What a SQLSTATE means for the caller. An unknown or empty one is `rejected`.
[[nodiscard]] core::Fault classify(std::string_view sqlstate);

/// Call inside a catch block: rethrows what is being handled as core::DbError when libpqxx threw
/// it, else as it is.
[[noreturn]] void rethrow_classified();

}  // namespace outbox::pg
