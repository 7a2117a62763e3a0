// Puts the connection string together from url, url_env or url_file and password_env or
// password_file.
#pragma once

#include <string>

#include "config/context.hpp"
#include "config/section.hpp"

namespace outbox::config {

/// Reads these keys of the section "database"; what is wrong is reported, without ever quoting a
/// secret.
void read_database_url(Section& section, const Context& context, std::string& url);

}  // namespace outbox::config
