// One run over jobs that wait: what drain, effect and floor have in common. Main thread.
#pragma once

#include <functional>

#include "bench/engine_run.hpp"

namespace outbox::bench {

/// Puts `jobs` in place, measures `work` (which returns its seconds), and fills rate, WAL, commits
/// and HOT ratio.
[[nodiscard]] Line measure(const Settings& settings, const store::BenchJobs& jobs, Line line,
                           const std::function<double()>& work);

/// Runs the engine over `jobs`, from the moment that claims are allowed to the last commit.
[[nodiscard]] Line drained(const Settings& settings, const engine::Handler& handler,
                           const RunOptions& run, const store::BenchJobs& jobs, Line line);

[[nodiscard]] double seconds_since(core::Clock::time_point start);

}  // namespace outbox::bench
