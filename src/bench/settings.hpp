// What a benchmark run is asked for. A value.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "bench/line.hpp"
#include "core/options.hpp"

namespace outbox::bench {

struct Settings {
  core::DatabaseOptions database;
  std::int64_t jobs{200'000};     ///< Of one measurement, where a number of jobs is run.
  std::chrono::seconds time{10};  ///< Of one measurement, where a rate is held.
  int rate{8'000};                ///< Jobs offered a second: steady.
  int concurrency{4};
  int direct_workers{2};
  int failing_percent{-1};  ///< effect: -1 measures 0 and 1.
  bool pin{};               ///< steady: hold a snapshot open.
  bool sql{};               ///< steady: an sql handler in the direct lane.
};

/// Called with each line as soon as it is known.
using Report = std::function<void(const Line&)>;

}  // namespace outbox::bench
