// Every setting of a processor, with its default; config/ fills these from YAML, one to one. Values
// only.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace outbox::core {

using std::chrono::milliseconds;

/// Delay before attempt n+1: first * factor^(n-1), at most cap, spread by +-jitter (a share of the
/// delay).
struct Backoff {
  milliseconds first{1'000};    ///< 1 ms to 1 day.
  double factor{2.0};           ///< 1 to 10.
  milliseconds cap{3'600'000};  ///< first to 30 days.
  double jitter{0.1};           ///< 0 to 0.5.
};

/// Which lane runs the jobs of an `sql` kind; see DECISIONS, "two lanes".
enum class Lane { automatic, direct, claimed };

/// An SQL handler: either a statement with $1..$4 = payload, id, attempt, headers, or a function's
/// name.
struct SqlHandler {
  std::string statement;  ///< One SQL statement; empty when `function` is given.
  std::string function;   ///< Schema-qualified; its longest signature of (jsonb, bigint, integer,
                          ///< jsonb) is used.
  std::string role;       ///< Role to run as; empty: the session's own.
};

struct KindOptions {
  std::optional<SqlHandler> sql;  ///< Empty for a kind whose handler is C++.
  Lane lane{Lane::automatic};     ///< Only for sql.
  milliseconds timeout{60'000};   ///< One attempt's limit: 10 ms to 1 day.
  Backoff backoff;
};

struct QueueOptions {
  int concurrency{
      4};  ///< Handlers of this queue that run at the same time in this processor: 1 to 256.
  int direct_workers{2};   ///< Of these, how many may serve the direct lane: 1 to concurrency.
  int group_most{50};      ///< Most jobs that one direct statement handles: 1 to 50.
  bool history{true};      ///< Keep a row for each finished job.
  int retention_days{14};  ///< Days that history is kept: 1 to 30 (the ring has 32 slots).
};

struct ProcessorOptions {
  std::string name;               ///< For people; default host name and pid. At most 63 characters.
  milliseconds heartbeat{1'000};  ///< 100 ms to 60 s.
  milliseconds dead_after{10'000};  ///< At least 3 heartbeats; at most 10 min.
  milliseconds grace{30'000};       ///< Time for handlers after SIGTERM: 0 to 1 h.
  milliseconds poll{2'000};         ///< Longest sleep without looking: 50 ms to 60 s.
  int max_crashes{3};               ///< Claims that may end with their processor: 1 to 100.
  int dead_retention_days{90};      ///< Days that dead letters and failures are kept: 1 to 3650.
};

struct DatabaseOptions {
  std::string url;                      ///< libpq URL or conninfo, secrets included: never log it.
  milliseconds connect_timeout{5'000};  ///< 1 s to 60 s, whole seconds.
  milliseconds statement_timeout{5'000};  ///< For outboxd's own statements: 100 ms to 10 min.
  bool allow_privileged_role{false};      ///< A processor may be superuser or own schema outbox.
};

enum class LogFormat { human, json };
struct LogOptions {
  std::string level{"info"};  ///< trace, debug, info, warn, error.
  LogFormat format{LogFormat::human};
};

/// The HTTP endpoint with /health, /ready and /metrics; closed unless a port is given.
struct AdminOptions {
  std::string host{"127.0.0.1"};  ///< An address of this machine.
  std::optional<int> port;        ///< 1 to 65535; 0 picks a free one and logs it.
};

struct Options {
  DatabaseOptions database;
  ProcessorOptions processor;
  std::map<std::string, QueueOptions>
      queues;  ///< Never empty after loading: "default" when none is named.
  std::map<std::string, KindOptions> kinds;
  LogOptions log;
  AdminOptions admin;
};

}  // namespace outbox::core
