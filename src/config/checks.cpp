// Rules between settings; see the header.
#include "config/checks.hpp"

#include <algorithm>

#include "core/duration.hpp"

namespace outbox::config {
namespace {

using core::format_duration;

constexpr std::size_t kLongestName = 63;
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-";
constexpr int kDefaultDirectWorkers = 2;

}  // namespace

std::string name_problem(const std::string& name) {
  if (name.empty()) return "is empty, expected 1 to 63 characters";
  if (name.size() > kLongestName) {
    return "has " + std::to_string(name.size()) + " characters, expected at most 63";
  }
  if (name.find_first_not_of(kNameCharacters) != std::string::npos) {
    return "has a character that is not accepted, expected letters, digits and _ . : / -";
  }
  return {};
}

void check(const core::DatabaseOptions& database, Section& section) {
  if (database.connect_timeout % std::chrono::seconds{1} != core::milliseconds{0}) {
    section.conflict({"connect_timeout"},
                     "database.connect_timeout: " + format_duration(database.connect_timeout) +
                         " is not a whole number of seconds",
                     "libpq counts it in seconds: write 5s");
  }
}

void check(const core::ProcessorOptions& processor, Section& section) {
  if (processor.dead_after < 3 * processor.heartbeat) {
    section.conflict({"dead_after", "heartbeat"},
                     "processor.dead_after (" + format_duration(processor.dead_after) +
                         ") must be at least 3 heartbeats of " +
                         format_duration(processor.heartbeat),
                     "write dead_after: " + format_duration(3 * processor.heartbeat) +
                         " or more, or a shorter heartbeat: else one slow beat counts as death");
  }
}

void check(core::QueueOptions& queue, Section& section) {
  if (!section.given("direct_workers")) {
    queue.direct_workers = std::min(kDefaultDirectWorkers, queue.concurrency);
  }
  if (queue.direct_workers > queue.concurrency) {
    section.conflict(
        {"direct_workers", "concurrency"},
        section.path("direct_workers") + " (" + std::to_string(queue.direct_workers) +
            ") must not be more than concurrency (" + std::to_string(queue.concurrency) + ")",
        "direct workers are part of the concurrency: raise it, or lower direct_workers");
  }
}

void check(const core::Backoff& backoff, Section& section) {
  if (backoff.cap < backoff.first) {
    section.conflict({"cap", "first"},
                     section.path("cap") + " (" + format_duration(backoff.cap) +
                         ") must not be less than first (" + format_duration(backoff.first) + ")",
                     "no delay is longer than cap: raise cap, or lower first");
  }
}

void check(const core::LogOptions& /*log*/, Section& /*section*/) {}

void check(const core::AdminOptions& /*admin*/, Section& /*section*/) {}

void check(core::Options& options, Section& /*section*/) {
  if (options.queues.empty()) options.queues.emplace("default", core::QueueOptions{});
}

}  // namespace outbox::config
