// RLIMIT_NOFILE.
#include "handlers/descriptors.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <sys/resource.h>

namespace outbox::handlers {

namespace {

/// Log, event loops, the HTTP endpoint and its connections, files of TLS.
constexpr std::int64_t kOthers = 64;
/// A connection of its own for each thread of a queue, one for its claims and one for its ends.
constexpr std::int64_t kOfQueue = 2;
/// Both ends of its pipes and its pidfd.
constexpr std::int64_t kOfChild = 8;

std::int64_t to_number(rlim_t limit) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min<rlim_t>(limit, static_cast<rlim_t>(kMost)));
}

}  // namespace

std::int64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kOthers;
  const auto before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return to_number(::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before);
}

std::int64_t descriptors_needed(const core::Options& options) {
  auto needed = kOthers;
  for (const auto& [name, queue] : options.queues)
    needed += kOfQueue + queue.concurrency + queue.direct_workers;
  for (const auto& [kind, settings] : options.kinds) {
    if (settings.http) needed += settings.http->concurrency;
    if (settings.exec) needed += kOfChild * settings.exec->concurrency;
  }
  return needed;
}

void provide_descriptors(const core::Options& options, observe::Events& events) {
  const bool outside = std::any_of(options.kinds.begin(), options.kinds.end(), [](const auto& one) {
    return one.second.http || one.second.exec;
  });
  if (!outside) return;
  const auto allowed = raise_descriptor_limit();
  const auto needed = descriptors_needed(options);
  if (allowed >= needed) return;
  events.notice(
      "this process may have " + std::to_string(allowed) +
      " files open, and its http and exec kinds may need " + std::to_string(needed) +
      "; hint: raise LimitNOFILE of its service (ulimit -Hn), or lower their concurrency");
}

}  // namespace outbox::handlers
