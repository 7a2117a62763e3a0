// Events: each writes its line and moves its metrics; many threads at once.
#include "observe/events.hpp"

#include <thread>

#include <boost/test/unit_test.hpp>

#include "observe/label_cache.hpp"
#include "support/captured_log.hpp"

namespace events_test {

using namespace outbox;
using namespace std::chrono_literals;
using core::LogFormat;
using observe::Events;
using observe::JobRef;
using test::CapturedLog;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void every_event(Events& events) {
  const JobRef job{7, "default", "mail", 2};
  events.claimed("default", 3, 200us);
  events.swept("default", 1, 200us);
  events.finished(job, 5ms, 2ms);
  events.retried(job, "23505", "duplicate key", 1s, 3ms);
  events.snoozed(job, 10s);
  events.dead(job, "attempts", "gave up");
  events.stale_finish(job);
  events.exec_running("report", 3);
  events.exec_ended(job, "timeout", 2s);
  events.exec_no_room("report", "clone", "Resource temporarily unavailable");
  events.released("default", 2);
  events.rescued(4, 1);
  events.resolved_in_doubt(job, true);
  events.isolating("default", 8, "statement timeout");
  events.lane_changed("default", "mail", "claimed", 600ms);
  events.kind_paused("mail", "the endpoint answered 410");
  events.http_in_flight("hook", 7);
  events.http_answered("hook", "5xx", 2s);
  events.breaker_changed("hook", "https://shop.example:443", true, "answered 503", 5s, 1);
  events.breaker_changed("hook", "https://shop.example:443", false, "", 0ms, 0);
  events.started(1, "host-1", "app_worker", 3, 9);
  events.privileged_role("a superuser");
  events.stopping("SIGTERM", 30s);
  events.stopped();
  events.marked_dead(2, "host-2", "heartbeat late");
  events.fenced("no heartbeat");
  events.fell_asleep();
  events.woke("notification");
  events.history_truncated(5);
  events.pruned("dead_jobs", 6);
  events.notice("behind a pooler");
  events.db_error("claim", "outage", "08006", "server closed the connection");
  events.db_recovered("claim", 3s);
  events.queue_depth({.queue = "default",
                      .waiting = 10,
                      .scheduled = 11,
                      .claimed = 12,
                      .oldest_wait_seconds = 1.5,
                      .paused = true});
}

}  // namespace events_test

BOOST_AUTO_TEST_SUITE(events_test)

BOOST_AUTO_TEST_CASE(every_event_but_queue_depth_writes_one_line_of_its_name) {
  const CapturedLog log{"trace", LogFormat::json};
  Events events;
  every_event(events);
  std::string names;
  for (const auto& line : log.lines())
    names += nlohmann::json::parse(line).at("event").get<std::string>() + " ";
  BOOST_TEST(names ==
             "claimed swept finished retried snoozed dead stale_finish exec_ended exec_no_room "
             "released rescued "
             "resolved_in_doubt isolating lane_changed kind_paused "
             "breaker_opened breaker_closed started "
             "privileged_role stopping stopped marked_dead fenced fell_asleep woke "
             "history_truncated pruned notice "
             "db_error db_recovered ");
}

BOOST_AUTO_TEST_CASE(a_job_event_names_its_job) {
  const CapturedLog log{"info", LogFormat::json};
  Events events;
  events.retried({7, "default", "mail", 2}, "23505", "duplicate key", 1s, 3ms);
  const auto line = nlohmann::json::parse(log.lines().at(0));
  BOOST_TEST(line.at("level") == "warn");
  BOOST_TEST(line.at("job") == 7);
  BOOST_TEST(line.at("queue") == "default");
  BOOST_TEST(line.at("kind") == "mail");
  BOOST_TEST(line.at("attempt") == 2);
  BOOST_TEST(line.at("sqlstate") == "23505");
  BOOST_TEST(line.at("error") == "duplicate key");
  BOOST_TEST(line.at("delay_ms") == 1000.0);
}

BOOST_AUTO_TEST_CASE(every_metric_is_there_with_its_value) {
  const CapturedLog log{"error", LogFormat::json};
  Events events;
  every_event(events);
  const std::string text = events.metrics_text();
  for (const char* line : {
           "outboxd_jobs_claimed_total{queue=\"default\"} 4\n",
           "outboxd_jobs_finished_total{kind=\"mail\",queue=\"default\"} 1\n",
           "outboxd_jobs_failed_total{kind=\"mail\",queue=\"default\"} 2\n",
           "outboxd_jobs_retried_total{kind=\"mail\",queue=\"default\"} 1\n",
           "outboxd_jobs_snoozed_total{kind=\"mail\",queue=\"default\"} 1\n",
           "outboxd_jobs_dead_total{kind=\"mail\",queue=\"default\",reason=\"attempts\"} 1\n",
           "outboxd_jobs_dead_total{kind=\"mail\",queue=\"default\",reason=\"expired\"} 0\n",
           "outboxd_stale_finishes_total{kind=\"mail\",queue=\"default\"} 1\n",
           "outboxd_jobs_released_total{queue=\"default\"} 2\n",
           "outboxd_rescued_total 4\n",
           "outboxd_sweeps_total{queue=\"default\"} 1\n",
           "outboxd_claim_seconds_count{queue=\"default\"} 1\n",
           "outboxd_sweep_seconds_count{queue=\"default\"} 1\n",
           "outboxd_handler_seconds_count{kind=\"mail\",queue=\"default\"} 2\n",
           "outboxd_wait_seconds_sum{queue=\"default\"} 0.005\n",
           "outboxd_queue_waiting{queue=\"default\"} 10\n",
           "outboxd_queue_scheduled{queue=\"default\"} 11\n",
           "outboxd_queue_claimed{queue=\"default\"} 12\n",
           "outboxd_queue_oldest_wait_seconds{queue=\"default\"} 1.5\n",
           "outboxd_queue_paused{queue=\"default\"} 1\n",
           "outboxd_db_errors_total{fault=\"outage\",where=\"claim\"} 1\n",
           "outboxd_http_in_flight{kind=\"hook\"} 7\n",
           "outboxd_http_answers_total{answer=\"5xx\",kind=\"hook\"} 1\n",
           "outboxd_http_seconds_sum{kind=\"hook\"} 2\n",
           "outboxd_http_breakers_open{kind=\"hook\"} 0\n",
           "outboxd_in_doubt_total 1\n",
           "outboxd_isolated_total 8\n",
           "outboxd_processors_marked_dead_total 1\n",
           "outboxd_fenced_total 1\n",
           "outboxd_wakeups_total 1\n",
           "outboxd_pruned_rows_total{table=\"dead_jobs\"} 6\n",
           "outboxd_up 0\n",
           "outboxd_build_info{version=\"",
       }) {
    BOOST_TEST(has(text, line), "missing: " << line);
  }
}

BOOST_AUTO_TEST_CASE(hostile_labels_stay_inside_their_quotes) {
  const CapturedLog log{"error", LogFormat::json};
  Events events;
  events.finished({1, "a\"} 1\nfake_metric 1", "\xFF\\", 1}, 1ms, 1ms);
  const std::string text = events.metrics_text();
  BOOST_TEST(!has(text, "\nfake_metric"));
  BOOST_TEST(has(text, R"(queue="a\"} 1 fake_metric 1")"));
}

BOOST_AUTO_TEST_CASE(label_values_are_bounded) {
  const CapturedLog log{"error", LogFormat::json};
  Events events;
  for (int i = 0; i < 2'000; ++i)
    events.finished({1, "q", "kind" + std::to_string(i), 1}, 1ms, 1ms);
  const std::string text = events.metrics_text();
  const std::string other = "outboxd_jobs_finished_total{kind=\"other\",queue=\"other\"} ";
  BOOST_REQUIRE(has(text, other));
  BOOST_TEST(text.substr(text.find(other) + other.size(), 5) == "1000\n");
}

BOOST_AUTO_TEST_CASE(database_errors_are_all_counted_but_logged_once_a_second_for_each_place) {
  const CapturedLog log{"info", LogFormat::json};
  Events events;
  for (int i = 0; i < 100; ++i) events.db_error("claim", "outage", "", "down");
  events.db_error("heartbeat", "outage", "", "down");
  BOOST_TEST(log.lines().size() < 10U);
  BOOST_TEST(log.lines().size() >= 2U);
  BOOST_TEST(has(events.metrics_text(),
                 "outboxd_db_errors_total{fault=\"outage\",where=\"claim\"} 100\n"));
}

BOOST_AUTO_TEST_CASE(threads_lose_no_count_and_mix_no_lines) {
  const CapturedLog log{"info", LogFormat::json};
  Events events;
  const auto work = [&events](const char* kind) {
    for (int i = 0; i < 5'000; ++i) {
      events.finished({i, "q", kind, 1}, 1ms, 1ms);
      if (i % 50 == 0) events.retried({i, "q", "shared", 1}, "", "no luck", 1s, 1ms);
      if (i % 500 == 0) (void)events.metrics_text();
    }
  };
  {
    const std::jthread a{work, "a"};
    const std::jthread b{work, "b"};
  }
  const std::string text = events.metrics_text();
  BOOST_TEST(has(text, "outboxd_jobs_finished_total{kind=\"a\",queue=\"q\"} 5000\n"));
  BOOST_TEST(has(text, "outboxd_jobs_finished_total{kind=\"b\",queue=\"q\"} 5000\n"));
  BOOST_TEST(has(text, "outboxd_jobs_retried_total{kind=\"shared\",queue=\"q\"} 200\n"));
  BOOST_REQUIRE_EQUAL(log.lines().size(), 200U);
  for (const auto& line : log.lines()) BOOST_REQUIRE(nlohmann::json::accept(line));
}

BOOST_AUTO_TEST_SUITE_END()
