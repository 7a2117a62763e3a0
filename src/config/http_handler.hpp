// Reads the settings of an http handler that are or may be secrets. What is wrong is reported
// without quoting them.
#pragma once

#include <string>

#include "config/accepted.hpp"
#include "config/context.hpp"
#include "config/section.hpp"
#include "core/options.hpp"

namespace outbox::config {

/// From url, url_env or url_file, of which one must be given; checked as a core::UrlTemplate.
void read_http_url(Section& section, const Context& context, core::HttpHandler& http);

/// From NAME_env or NAME_file, of which at most one may be given.
void read_handler_secret(Section& section, const Context& context, const std::string& name,
                         core::Secret& secret, TextRule rule);

}  // namespace outbox::config
