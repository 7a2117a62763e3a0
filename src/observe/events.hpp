// The one vocabulary of what happens: each event writes its log line and moves its metrics. Emitted
// after the database agreed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace outbox::observe {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Who a job event is about.
struct JobRef {
  std::int64_t id{};
  std::string_view queue;
  std::string_view kind;
  int attempt{};
};

/// Numbers of one queue, read from the database now and then.
struct QueueDepth {
  std::string queue;
  std::int64_t waiting{};    ///< Due and unclaimed; counted up to a bound.
  std::int64_t scheduled{};  ///< Not yet due; counted up to a bound.
  std::int64_t claimed{};
  double oldest_wait_seconds{};
  bool paused{};
};

/// Thread contract: every method may be called from any thread at any time. Event names are API:
/// they stand in logs (`event=…`) and metrics (`outboxd_…`). Texts are made printable here;
/// payloads and secrets are never passed in.
class Events {
 public:
  Events();
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // --- jobs
  void claimed(std::string_view queue, int jobs, microseconds took);        ///< debug
  void swept(std::string_view queue, int jobs, microseconds took);          ///< debug
  void finished(const JobRef& job, microseconds waited, microseconds ran);  ///< debug
  void retried(const JobRef& job, std::string_view sqlstate, std::string_view error,
               milliseconds delay, microseconds ran);                             ///< warn
  void snoozed(const JobRef& job, milliseconds delay);                            ///< debug
  void dead(const JobRef& job, std::string_view reason, std::string_view error);  ///< error
  void stale_finish(const JobRef& job);             ///< warn: a late result was refused
  void released(std::string_view queue, int jobs);  ///< info: given back at a stop
  void rescued(int jobs,
               int dead);  ///< warn: taken from dead processors; `dead` of them dead-lettered
  void resolved_in_doubt(const JobRef& job, bool committed);  ///< warn
  void isolating(std::string_view queue, int jobs,
                 std::string_view why);  ///< warn: direct lane stands back, jobs run one by one
  void lane_changed(std::string_view queue, std::string_view kind, std::string_view lane,
                    microseconds mean);  ///< info

  // --- programs that handlers run
  void exec_running(std::string_view kind, int children);  ///< metrics only
  /// debug; `how` is done, retry, dead, snooze, timeout or signal.
  void exec_ended(const JobRef& job, std::string_view how, microseconds ran);
  /// warn, at most one a second for each kind: this machine is short of something, by its errno.
  void exec_no_room(std::string_view kind, std::string_view step, std::string_view error);
  void kind_paused(std::string_view kind, std::string_view why);  ///< warn: by this processor

  void stuck(const JobRef& job);  ///< error: its handler ignores that its time is over

  // --- the processor
  void started(int processor, std::string_view name, std::string_view role, int schema,
               int connections_most);  ///< info
  void privileged_role(
      std::string_view what);  ///< warn: it is allowed to have more rights than it needs
  void stopping(std::string_view why, milliseconds grace);  ///< info
  void stopped();                                           ///< info
  void marked_dead(int processor, std::string_view name,
                   std::string_view reason);  ///< warn: another one
  void fenced(std::string_view why);  ///< error: this one must stop claiming and register anew
  void fell_asleep();                 ///< debug
  void woke(std::string_view why);    ///< debug
  void history_truncated(int slot);   ///< info
  void pruned(std::string_view table, std::int64_t rows);  ///< info, only when rows > 0
  void notice(std::string_view
                  what);  ///< info: said once, e.g. "behind a transaction pooler: heartbeat only"

  // --- endpoints that handlers call
  void http_in_flight(std::string_view kind, int requests);  ///< metrics only
  /// metrics only; `answer` is 2xx, 3xx, 4xx, 5xx, timeout, failed, not_allowed or not_sent.
  void http_answered(std::string_view kind, std::string_view answer, microseconds took);
  /// warn when it opened, info when it closed: this endpoint is left alone for `pause`, or asked
  /// again. `not_closed`: endpoints of this kind that are left alone now.
  void breaker_changed(std::string_view kind, std::string_view endpoint, bool opened,
                       std::string_view why, milliseconds pause, int not_closed);

  // --- the database
  void db_error(std::string_view where, std::string_view fault, std::string_view sqlstate,
                std::string_view error);  ///< warn, rate-limited to one a second for each `where`
  void db_recovered(std::string_view where, milliseconds down);  ///< info
  void queue_depth(const QueueDepth& depth);                     ///< metrics only

  /// Jobs finished since it was made.
  [[nodiscard]] std::int64_t jobs_finished() const;

  /// Calls `tap` for every claim and sweep from now on, on the thread that made it. Set it before a
  /// processor starts.
  using Tap = std::function<void(bool sweep, int jobs, microseconds took)>;
  void watch_claims(Tap tap);

  /// Prometheus text exposition format 0.0.4.
  [[nodiscard]] std::string metrics_text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::observe
