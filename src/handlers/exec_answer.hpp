// From how a child ended to its job's answer and what is kept of it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/options.hpp"
#include "handlers/child.hpp"
#include "store/run.hpp"

namespace outbox::handlers {

struct ExecAnswer {
  store::Ran ran;
  const char* how{};  ///< done, retry, dead, snooze, timeout or signal: a label of metrics.
};

/// `timed_out`: it got SIGTERM from us because its time was over; whatever it said then counts for
/// nothing.
[[nodiscard]] ExecAnswer exec_answer(const core::KindOptions& kind, const Ending& ending,
                                     bool timed_out);

/// For a child that never was. One that is only short of room is tried again in 1 to 2 s, by
/// `spread` in [0, 1), without a charge.
[[nodiscard]] ExecAnswer spawn_answer(const core::ExecHandler& settings, const std::string& kind,
                                      const SpawnFailure& failure, double spread);

/// For Task::detail: {"exit": 3} or {"signal": "SIGSEGV"}, "ms", "cpu_ms", "stdout_bytes",
/// "stderr_bytes", and as "stdout" and "stderr" their tails, as far as settings and 32 KiB of JSON
/// in all allow.
[[nodiscard]] std::string exec_detail(const core::ExecHandler& settings, const Ending& ending);

}  // namespace outbox::handlers
