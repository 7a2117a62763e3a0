// Every setting of a processor, with its default; config/ fills these from YAML, one to one. Values
// only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

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

/// A secret and where it came from. `text` is never printed or logged.
struct Secret {
  std::string file;  ///< Path of the file that held it; empty: `env`.
  std::string env;   ///< Name of the environment variable that held it.
  std::string text;  ///< Empty: there is none.
};

/// When an endpoint is left alone: at least `failures` of the last answers failed, of at least
/// `least` within `window`. Probed after `pause`, which doubles up to `pause_most` while probes
/// fail.
struct BreakerOptions {
  bool enabled{true};
  double failures{0.5};              ///< Share of the answers: 0.01 to 1.
  int least{10};                     ///< 1 to 10,000.
  milliseconds window{10'000};       ///< 1 s to 10 min.
  milliseconds pause{5'000};         ///< 100 ms to 1 h.
  milliseconds pause_most{120'000};  ///< pause to 1 day.
};

enum class IdempotencyKey { quoted, plain, off };

/// Delivery to an HTTP endpoint. See README, "Call an endpoint".
struct HttpHandler {
  /// Then only its origin may be shown.
  [[nodiscard]] bool url_is_secret() const { return !url_file.empty() || !url_env.empty(); }

  std::string url;  ///< With `{a.b}` for values of the payload: see core/url_template.hpp.
  std::string
      url_file;         ///< Of this or the next, the one that held the url, which then is a secret:
  std::string url_env;  ///< log its origin only.
  std::string method{"POST"};  ///< POST, PUT or PATCH.
  std::string content_type{"application/json"};
  std::map<std::string, std::string> headers;  ///< Sent with each request; never ours.
  Secret bearer;                               ///< For `Authorization: Bearer`.
  Secret signing;  ///< 1 to 8 keys that sign, the newest first: see core/signing_key.hpp.
  IdempotencyKey idempotency_key{IdempotencyKey::quoted};
  std::string cloudevents_source;       ///< Not empty: CloudEvents binary mode.
  std::string cloudevents_type;         ///< Empty: the kind.
  milliseconds connect_timeout{5'000};  ///< 10 ms to 60 s, at most the kind's timeout.
  int concurrency{100};  ///< Requests under way to one endpoint, in this processor: 1 to 10,000.
  double rate{0};  ///< Requests a second to one endpoint, in this processor: 0 (no limit), 0.01
                   ///< to 100,000.
  BreakerOptions breaker;
  milliseconds retry_after_most{24 * 3'600'000};  ///< Retry-After is cut to this: 1 s to 30 days.
  bool retry_client_errors{
      false};           ///< Answers of 4xx that mean "never" are tried again all the same.
  bool control{false};  ///< A 2xx body may say snooze or discard.
  std::int64_t response_most{1'048'576};  ///< Bytes read of an answer's body: 0 to 16 MiB.
  bool keep_response{false};              ///< Keep the answer with the history as well.
  bool http2{true};                       ///< Offered over TLS.
  std::string ca_file;                    ///< Absolute path; instead of the system's authorities.
  std::string client_cert_file;
  std::string client_key_file;
  std::vector<std::string> allow_addresses;  ///< Networks that a host from a payload may be in
                                             ///< although they are not public: see
                                             ///< core/network.hpp.
  bool allow_plain_http{false};              ///< A URL whose host is from a payload may be http://.
};

enum class ExecControl { off, last_line, fd3 };

/// Runs a program for each job. See README, "Run a script".
struct ExecHandler {
  std::vector<std::string> argv;    ///< 1 to 64; the first is an absolute path; no shell.
  std::string cwd{"/"};             ///< Absolute.
  int umask{077};                   ///< 0 to 0777.
  std::string user;                 ///< Empty: as outboxd itself.
  std::vector<std::string> env;     ///< Names of variables that are passed on.
  int concurrency{4};               ///< Children at a time in this processor: 1 to 1,000.
  milliseconds kill_after{5'000};   ///< From SIGTERM to SIGKILL: 0 to 10 min.
  std::vector<int> done_codes{0};   ///< 0 to 255, at least one.
  std::vector<int> dead_codes{65};  ///< None of done_codes. Any other code: retry.
  ExecControl control{ExecControl::off};
  std::int64_t output_kept{8'192};       ///< Bytes kept of each output's tail: 0 to 64 KiB.
  std::int64_t output_most{67'108'864};  ///< Bytes it may write to both in all: 1 KiB to 16 GiB.
  std::int64_t memory{0};                ///< RLIMIT_AS: 16 MiB to 1 TiB; 0: none.
  milliseconds cpu{0};                   ///< RLIMIT_CPU: whole seconds to 1 day; 0: none.
  int files{256};                        ///< RLIMIT_NOFILE: 8 to 1,048,576.
  int processes{0};                      ///< RLIMIT_NPROC of its user: to 1,048,576; 0: none.
  std::int64_t file_size{0};             ///< RLIMIT_FSIZE: to 1 TiB; 0: none.
  bool keep_output{false};               ///< Keep the output with the history as well.
};

struct KindOptions {
  std::optional<SqlHandler> sql;  ///< Empty for a kind whose handler is http, exec or C++.
  Lane lane{Lane::automatic};     ///< Only for sql.
  milliseconds timeout{60'000};   ///< One attempt's limit: 10 ms to 1 day.
  Backoff backoff;
  std::optional<HttpHandler> http{};
  std::optional<ExecHandler> exec{};
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
