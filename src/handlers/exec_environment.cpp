// Ours come last, and a name that is ours is never passed on: no name stands there twice.
#include "handlers/exec_environment.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

namespace outbox::handlers {

namespace {

constexpr std::array<std::string_view, 8> kOurs{
    "OUTBOX_JOB_ID",  "OUTBOX_MESSAGE_ID",   "OUTBOX_KIND",     "OUTBOX_QUEUE",
    "OUTBOX_ATTEMPT", "OUTBOX_MAX_ATTEMPTS", "OUTBOX_DEADLINE", "OUTBOX_HEADERS"};
constexpr const char* kPath = "PATH=/usr/local/bin:/usr/bin:/bin";

}  // namespace

std::vector<std::string> allowed_environment(const core::ExecHandler& settings) {
  auto names = settings.env;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<std::string> out;
  bool path = false;
  for (const auto& name : names) {
    if (std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end()) continue;
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    path = path || name == "PATH";
    out.push_back(name + "=" + value);
  }
  if (!path) out.emplace_back(kPath);
  return out;
}

std::vector<std::string> exec_environment(const std::vector<std::string>& allowed, const Job& job,
                                          const std::string& message_prefix,
                                          std::int64_t deadline) {
  auto out = allowed;
  const auto id = std::to_string(job.id);
  out.push_back("OUTBOX_JOB_ID=" + id);
  out.push_back("OUTBOX_MESSAGE_ID=" + message_prefix + id);
  out.push_back("OUTBOX_KIND=" + job.kind);
  out.push_back("OUTBOX_QUEUE=" + job.queue);
  out.push_back("OUTBOX_ATTEMPT=" + std::to_string(job.attempt));
  out.push_back("OUTBOX_MAX_ATTEMPTS=" + std::to_string(job.max_attempts));
  out.push_back("OUTBOX_DEADLINE=" + std::to_string(deadline));
  if (job.headers.size() <= kHeadersInEnvironmentMax)
    out.push_back("OUTBOX_HEADERS=" + job.headers);
  return out;
}

}  // namespace outbox::handlers
