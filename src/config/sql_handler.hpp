// Reads the handler of an sql kind from the keys sql, function and role.
#pragma once

#include <optional>

#include "config/section.hpp"
#include "core/options.hpp"

namespace outbox::config {

/// Sets `sql` when the section has sql or function. Does not parse the statement: the server does,
/// at start.
void read_sql_handler(Section& section, std::optional<core::SqlHandler>& sql);

/// `schema.name`, each part an identifier with or without double quotes; empty when it is, else
/// what is wrong.
[[nodiscard]] std::string function_problem(std::string_view name);

}  // namespace outbox::config
