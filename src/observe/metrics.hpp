// The Prometheus metrics: names, help texts, labels and buckets, in one place. Names are API. Any
// thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "observe/label_cache.hpp"

namespace outbox::observe {

/// Of one queue.
struct QueueMetrics {
  prometheus::Counter* claimed;
  prometheus::Counter* sweeps;
  prometheus::Counter* released;
  prometheus::Histogram* claim_seconds;
  prometheus::Histogram* sweep_seconds;
  prometheus::Histogram* wait_seconds;
};

/// Of one queue, read from the database.
struct DepthMetrics {
  prometheus::Gauge* waiting;
  prometheus::Gauge* scheduled;
  prometheus::Gauge* claimed;
  prometheus::Gauge* oldest_wait_seconds;
  prometheus::Gauge* paused;
};

/// Of one queue and kind.
struct KindMetrics {
  prometheus::Counter* finished;
  prometheus::Counter* failed;
  prometheus::Counter* retried;
  prometheus::Counter* snoozed;
  prometheus::Counter* stale;
  prometheus::Histogram* handler_seconds;
  prometheus::Histogram* wait_seconds;  ///< The queue's own, to spare the hot path a look-up.
  std::map<std::string, prometheus::Counter*, std::less<>> dead;  ///< By reason.
};

/// Of one kind that calls endpoints.
struct HttpMetrics {
  prometheus::Gauge* in_flight;
  prometheus::Gauge* breakers_open;
  prometheus::Histogram* seconds;
};

class Metrics {
 public:
  Metrics();

  [[nodiscard]] QueueMetrics& queue(std::string_view name) { return queues_.get(name, {}); }
  [[nodiscard]] DepthMetrics& depth(std::string_view queue) { return depths_.get(queue, {}); }
  [[nodiscard]] KindMetrics& kind(std::string_view queue, std::string_view kind) {
    return kinds_.get(queue, kind);
  }
  [[nodiscard]] prometheus::Counter& db_errors(std::string_view where, std::string_view fault) {
    return *db_errors_.get(where, fault);
  }
  [[nodiscard]] HttpMetrics& http(std::string_view kind) { return http_.get(kind, {}); }
  [[nodiscard]] prometheus::Counter& http_answers(std::string_view kind, std::string_view answer) {
    return *http_answers_.get(kind, answer);
  }
  [[nodiscard]] prometheus::Counter& pruned(std::string_view table) {
    return *pruned_.get(table, {});
  }

  [[nodiscard]] prometheus::Counter& exec_ends(std::string_view kind, std::string_view how) {
    return *exec_ends_.get(kind, how);
  }
  [[nodiscard]] prometheus::Gauge& exec_running(std::string_view kind) {
    return *exec_running_.get(kind, {});
  }

  [[nodiscard]] std::string text() const;

 private:
  prometheus::Registry registry_;  // before the handles into it

 public:
  prometheus::Counter& rescued;
  prometheus::Counter& resolved_in_doubt;
  prometheus::Counter& isolated;
  prometheus::Counter& processors_marked_dead;
  prometheus::Counter& fenced;
  prometheus::Counter& wakeups;
  prometheus::Gauge& up;

 private:
  LabelCache<QueueMetrics> queues_;
  LabelCache<DepthMetrics> depths_;
  LabelCache<KindMetrics> kinds_;
  LabelCache<HttpMetrics> http_;
  LabelCache<prometheus::Counter*> http_answers_;
  LabelCache<prometheus::Counter*> db_errors_;
  LabelCache<prometheus::Counter*> pruned_;
  LabelCache<prometheus::Counter*> exec_ends_;
  LabelCache<prometheus::Gauge*> exec_running_;
};

}  // namespace outbox::observe
