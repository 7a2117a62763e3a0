// Every database error becomes one core::DbError, in one place.
#pragma once

#include <string_view>

#include "core/fault.hpp"

namespace outbox::pg {

/// What an error means for the caller; the text decides only where one SQLSTATE means two things.
/// An unknown or empty SQLSTATE is `rejected`.
[[nodiscard]] core::Fault classify(std::string_view sqlstate, std::string_view message);

/// Call inside a catch block: rethrows what is being handled as core::DbError when libpqxx threw
/// it, else as it is.
[[noreturn]] void rethrow_classified();

}  // namespace outbox::pg
