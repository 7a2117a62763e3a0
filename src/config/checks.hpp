// Rules between settings, each checked when its section has been read. They report; the loader goes
// on.
#pragma once

#include "config/section.hpp"
#include "core/options.hpp"

namespace outbox::config {

/// 1 to 63 bytes of letters, digits and _ . : / -; empty when all is well, else what is wrong.
[[nodiscard]] std::string name_problem(const std::string& name);

void check(const core::DatabaseOptions& database, Section& section);
void check(const core::ProcessorOptions& processor, Section& section);
/// Also sets direct_workers to min(2, concurrency) when it is not given.
void check(core::QueueOptions& queue, Section& section);
void check(const core::Backoff& backoff, Section& section);
/// Also sets the connect_timeout of http to at most the timeout when it is not given.
void check(core::KindOptions& kind, Section& section);
void check(const core::BreakerOptions& breaker, Section& section);
void check(const core::HttpHandler& http, Section& section);
void check(const core::ExecHandler& exec, Section& section);
void check(const core::LogOptions& log, Section& section);
void check(const core::AdminOptions& admin, Section& section);
/// Also adds the queue "default" when none is named.
void check(core::Options& options, Section& section);

}  // namespace outbox::config
