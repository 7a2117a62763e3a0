// Registers every metric.
#include "observe/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <outbox/version.hpp>

namespace outbox::observe {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

using Buckets = Histogram::BucketBoundaries;

// Statements take from a fraction of a millisecond to the statement timeout; handlers from there to
// minutes; waits to a day.
Buckets statement_buckets() {
  return {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5};
}
Buckets handler_buckets() {
  return {0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 3'600};
}
Buckets wait_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 60, 600, 3'600, 86'400};
}

Family<Counter>& counters(Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Gauge>& gauges(Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Histogram>& histograms(Registry& registry, const char* name, const char* help) {
  return BuildHistogram().Name(name).Help(help).Register(registry);
}

LabelCache<QueueMetrics>::Make make_queue(Registry& r) {
  auto& claimed =
      counters(r, "outboxd_jobs_claimed_total", "Jobs taken from the queue, in either lane.");
  auto& sweeps =
      counters(r, "outboxd_sweeps_total", "Claims from the start of the index, behind the cursor.");
  auto& released = counters(r, "outboxd_jobs_released_total",
                            "Claims given back without an attempt, at a stop.");
  auto& claim_seconds = histograms(r, "outboxd_claim_seconds", "Duration of a claim statement.");
  auto& sweep_seconds = histograms(r, "outboxd_sweep_seconds", "Duration of a sweep statement.");
  auto& wait_seconds =
      histograms(r, "outboxd_wait_seconds", "From a job's run_at to the start of its handler.");
  return [&, statement = statement_buckets(), wait = wait_buckets()](const std::string& queue,
                                                                     const std::string&) {
    const prometheus::Labels labels{{"queue", queue}};
    return QueueMetrics{&claimed.Add(labels),
                        &sweeps.Add(labels),
                        &released.Add(labels),
                        &claim_seconds.Add(labels, statement),
                        &sweep_seconds.Add(labels, statement),
                        &wait_seconds.Add(labels, wait)};
  };
}

LabelCache<DepthMetrics>::Make make_depth(Registry& r) {
  auto& waiting = gauges(r, "outboxd_queue_waiting",
                         "Jobs that are due and not claimed; counting stops at a bound.");
  auto& scheduled =
      gauges(r, "outboxd_queue_scheduled", "Jobs that are not due yet; counting stops at a bound.");
  auto& claimed = gauges(r, "outboxd_queue_claimed", "Jobs that a processor has claimed.");
  auto& oldest = gauges(r, "outboxd_queue_oldest_wait_seconds",
                        "For how long the job that waits longest has been due.");
  auto& paused = gauges(r, "outboxd_queue_paused", "1 while the queue is paused.");
  return [&](const std::string& queue, const std::string&) {
    const prometheus::Labels labels{{"queue", queue}};
    return DepthMetrics{&waiting.Add(labels), &scheduled.Add(labels), &claimed.Add(labels),
                        &oldest.Add(labels), &paused.Add(labels)};
  };
}

LabelCache<KindMetrics>::Make make_kind(Registry& r, LabelCache<QueueMetrics>& queues) {
  auto& finished = counters(r, "outboxd_jobs_finished_total", "Jobs that worked.");
  auto& failed =
      counters(r, "outboxd_jobs_failed_total", "Failed attempts, the last one of a job included.");
  auto& retried = counters(r, "outboxd_jobs_retried_total",
                           "Failed attempts that will be followed by another.");
  auto& snoozed = counters(r, "outboxd_jobs_snoozed_total", "Attempts put off by their handler.");
  auto& dead = counters(r, "outboxd_jobs_dead_total", "Jobs that went to the dead letters.");
  auto& stale = counters(r, "outboxd_stale_finishes_total",
                         "Results refused because the claim was not ours any more.");
  auto& handler =
      histograms(r, "outboxd_handler_seconds", "Running time of handlers, failed ones included.");
  return [&, buckets = handler_buckets()](const std::string& queue, const std::string& kind) {
    const prometheus::Labels labels{{"queue", queue}, {"kind", kind}};
    KindMetrics made{&finished.Add(labels),
                     &failed.Add(labels),
                     &retried.Add(labels),
                     &snoozed.Add(labels),
                     &stale.Add(labels),
                     &handler.Add(labels, buckets),
                     queues.get(queue, {}).wait_seconds,
                     {}};
    for (const char* reason : {"attempts", "crashes", "discarded", "expired"}) {
      made.dead[reason] = &dead.Add({{"queue", queue}, {"kind", kind}, {"reason", reason}});
    }
    return made;
  };
}

LabelCache<HttpMetrics>::Make make_http(Registry& r) {
  auto& in_flight = gauges(r, "outboxd_http_in_flight", "Requests that are under way.");
  auto& breakers =
      gauges(r, "outboxd_http_breakers_open",
             "Endpoints that are left alone because too many of their answers failed.");
  auto& taken = histograms(r, "outboxd_http_seconds",
                           "From the start of a request to its whole answer, or its failure.");
  return [&, buckets = handler_buckets()](const std::string& kind, const std::string&) {
    const prometheus::Labels labels{{"kind", kind}};
    return HttpMetrics{&in_flight.Add(labels), &breakers.Add(labels), &taken.Add(labels, buckets)};
  };
}

LabelCache<Counter*>::Make make_counter(Registry& r, const char* name, const char* help,
                                        const char* first, const char* second) {
  auto& family = counters(r, name, help);
  return [&family, first, second](const std::string& a, const std::string& b) {
    return second == nullptr ? &family.Add({{first, a}}) : &family.Add({{first, a}, {second, b}});
  };
}

LabelCache<Gauge*>::Make make_exec_running(Registry& r) {
  auto& family = gauges(r, "outboxd_exec_running", "Programs that run for jobs.");
  return [&family](const std::string& kind, const std::string&) {
    return &family.Add({{"kind", kind}});
  };
}

}  // namespace

Metrics::Metrics()
    : rescued{counters(registry_, "outboxd_rescued_total", "Jobs taken from dead processors.")
                  .Add({})},
      resolved_in_doubt{counters(registry_, "outboxd_in_doubt_total",
                                 "Commits whose reply was lost and whose fate was looked up.")
                            .Add({})},
      isolated{counters(registry_, "outboxd_isolated_total",
                        "Jobs of the direct lane sent to run one by one.")
                   .Add({})},
      processors_marked_dead{counters(registry_, "outboxd_processors_marked_dead_total",
                                      "Other processors that this one marked dead.")
                                 .Add({})},
      fenced{counters(registry_, "outboxd_fenced_total",
                      "Times that this processor had to stop and register anew.")
                 .Add({})},
      wakeups{counters(registry_, "outboxd_wakeups_total",
                       "Times that this processor woke up after having slept.")
                  .Add({})},
      up{gauges(registry_, "outboxd_up", "1 while the processor runs, 0 while it starts or stops.")
             .Add({})},
      queues_{make_queue(registry_)},
      depths_{make_depth(registry_)},
      kinds_{make_kind(registry_, queues_)},
      http_{make_http(registry_)},
      http_answers_{make_counter(registry_, "outboxd_http_answers_total",
                                 "Requests by the class of their answer, or why none came.", "kind",
                                 "answer")},
      db_errors_{make_counter(registry_, "outboxd_db_errors_total",
                              "Failed database calls that were no job's fault.", "where", "fault")},
      pruned_{make_counter(registry_, "outboxd_pruned_rows_total", "Rows removed by retention.",
                           "table", nullptr)},
      exec_ends_{make_counter(registry_, "outboxd_exec_ends_total",
                              "Programs run for jobs, by what came of it.", "kind", "how")},
      exec_running_{make_exec_running(registry_)} {
  gauges(registry_, "outboxd_build_info", "Always 1; the labels say what runs.")
      .Add({{"version", std::string{kVersion}}})
      .Set(1);
}

std::string Metrics::text() const {
  return prometheus::TextSerializer{}.Serialize(registry_.Collect());
}

}  // namespace outbox::observe
