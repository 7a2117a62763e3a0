// What the deliveries are compared with: the same requests from a bare loop over curl's multi
// interface, without jobs and without a database.
#pragma once

#include <cstdint>
#include <string>

#include "core/options.hpp"

namespace outbox::bench {

struct PlainRun {
  double seconds{};
  double cpu_seconds{};
  double peak_rss_mb{};
};

/// Sends `requests` like those of the benchmark's jobs, as many at a time as `kind` allows, from a
/// process of its own with one thread. Thread contract: as Apart. Throws core::Error (failed) when
/// one of them was not answered with 200.
[[nodiscard]] PlainRun deliver_plainly(const core::KindOptions& kind, std::int64_t requests);

}  // namespace outbox::bench
