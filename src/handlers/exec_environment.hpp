// The environment of a child: what its job is, and what the configuration lets through. Nothing
// else: ours holds secrets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <outbox/job.hpp>

#include "core/options.hpp"

namespace outbox::handlers {

/// Larger headers are left out: the kernel bounds a single variable, and all of them.
inline constexpr std::size_t kHeadersInEnvironmentMax = 32U * 1024U;

/// "NAME=value" of the names in `settings.env` that are set in this process, but none that
/// exec_environment() sets; PATH is /usr/local/bin:/usr/bin:/bin unless it is among them.
[[nodiscard]] std::vector<std::string> allowed_environment(const core::ExecHandler& settings);

/// `allowed` and OUTBOX_JOB_ID, OUTBOX_MESSAGE_ID (`message_prefix` and the id), OUTBOX_KIND,
/// OUTBOX_QUEUE, OUTBOX_ATTEMPT, OUTBOX_MAX_ATTEMPTS, OUTBOX_DEADLINE (Unix seconds) and
/// OUTBOX_HEADERS (JSON; absent when longer than kHeadersInEnvironmentMax).
[[nodiscard]] std::vector<std::string> exec_environment(const std::vector<std::string>& allowed,
                                                        const Job& job,
                                                        const std::string& message_prefix,
                                                        std::int64_t deadline);

}  // namespace outbox::handlers
