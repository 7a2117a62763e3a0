// Deliveries to a real socket: what is sent, what each answer means, limits, breaker, guard.
#include "handlers/http.hpp"

#include <atomic>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/eventually.hpp"
#include "support/receiver.hpp"

namespace http_test {

using namespace outbox;
using namespace std::chrono_literals;
using handlers::HttpKind;
using handlers::HttpLoop;
using test::Counter;
using test::eventually;
using test::http;
using test::Received;
using test::Receiver;
using test::told;

constexpr const char* kPrefix = "msg_0123456789abcdef_";

/// One http kind of its own loop.
struct Sender {
  explicit Sender(const std::string& url) { options.http->url = url; }

  HttpKind& kind() {
    if (!made) made = std::make_unique<HttpKind>("hook", options, kPrefix, loop, events);
    return *made;
  }
  engine::TaskPtr start(const std::string& payload = "{}", const std::string& headers = "{}") {
    return counter.start(kind(), payload, headers);
  }
  /// Delivers one job and tells what came of it.
  std::string deliver(const std::string& payload = "{}", const std::string& headers = "{}") {
    task = start(payload, headers);
    ++sent;
    return counter.wait(sent) ? told(*task) : "still under way";
  }
  [[nodiscard]] double metric(const std::string& line) const {
    const auto text = events.metrics_text();
    const auto at = text.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 2));
  }

  observe::Events events;
  std::shared_ptr<HttpLoop> loop = std::make_shared<HttpLoop>(100);
  core::KindOptions options = [] {
    core::KindOptions one;
    one.http.emplace();
    one.timeout = 5s;
    return one;
  }();
  Counter counter;
  std::size_t sent{0};
  engine::TaskPtr task;
  std::unique_ptr<HttpKind> made;
};

/// What the receiver answers next.
class Text {
 public:
  void operator=(const std::string& text) {
    const std::lock_guard lock{mutex_};
    text_ = text;
  }
  [[nodiscard]] std::string get() const {
    const std::lock_guard lock{mutex_};
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

Receiver::Answer always(int status, const std::string& body = "", const std::string& headers = "") {
  return [=](const Received&) { return http(status, body, headers); };
}

}  // namespace http_test

BOOST_AUTO_TEST_SUITE(http_test)

BOOST_AUTO_TEST_CASE(a_job_becomes_a_request_with_a_stable_id) {
  const Receiver receiver{always(200)};
  Sender sender{receiver.url("/hook?a=b")};
  BOOST_TEST(sender.deliver(R"({"a": 1})") == "done");
  const auto request = receiver.received().at(0);
  BOOST_TEST(request.method == "POST");
  BOOST_TEST(request.target == "/hook?a=b");
  BOOST_TEST(request.body == R"({"a": 1})");
  BOOST_TEST(request.header("content-type") == "application/json");
  BOOST_TEST(request.header("webhook-id") == "msg_0123456789abcdef_1");
  BOOST_TEST(request.header("idempotency-key") == "\"msg_0123456789abcdef_1\"");
  BOOST_TEST(std::abs(std::stol(request.header("webhook-timestamp")) - std::time(nullptr)) <= 2);
  BOOST_TEST(request.header("outbox-kind") == "hook");
  BOOST_TEST(request.header("outbox-attempt") == "1");
  BOOST_TEST(request.header("traceparent").size() == 55U);
  BOOST_TEST(request.header("expect").empty());
  BOOST_TEST(request.headers.count("webhook-signature") == 0U);
}

BOOST_AUTO_TEST_CASE(connections_are_used_again) {
  const Receiver receiver{always(204)};
  Sender sender{receiver.url()};
  for (int i = 0; i < 20; ++i) BOOST_TEST(sender.deliver() == "done");
  BOOST_TEST(receiver.connections() == 1);
  BOOST_TEST(sender.metric(R"(outboxd_http_answers_total{answer="2xx",kind="hook"})") == 20);
}

BOOST_AUTO_TEST_CASE(each_answer_has_its_meaning) {
  std::atomic<int> status{200};
  const Receiver receiver{[&](const Received&) { return http(status, "why not"); }};
  Sender sender{receiver.url("/path?secret=1")};
  sender.options.http->breaker.enabled = false;
  const auto says = [&](int code, const std::string& start) {
    status = code;
    const auto what = sender.deliver();
    BOOST_TEST(what.rfind(start, 0) == 0U, code << ": " << what);
    BOOST_TEST(what.find("secret") == std::string::npos, what);
    if (start != "done" && start != "snooze") {
      BOOST_TEST(what.find("POST " + receiver.url("/path") + ": answered " +
                           std::to_string(code)) != std::string::npos,
                 what);
    }
  };
  for (const int code : {200, 201, 202, 204, 299}) says(code, "done");
  for (const int code : {301, 302, 307, 308, 304}) says(code, "retry");
  for (const int code : {400, 401, 403, 404, 405, 413, 415, 422, 418}) says(code, "discard");
  for (const int code : {408, 409, 425, 429, 500, 501, 502, 503, 504, 599}) says(code, "retry");
  says(410, "snooze");
  BOOST_TEST(sender.task->pause_kind.find("answered 410") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_url_that_is_a_secret_is_told_by_its_origin) {
  const Receiver receiver{always(500)};
  Sender sender{receiver.url("/services/T0/secret")};
  sender.options.http->url_env = "HOOK_URL";
  const auto what = sender.deliver();
  BOOST_TEST(what.find("http://127.0.0.1:" + std::to_string(receiver.port()) + ": answered 500") !=
                 std::string::npos,
             what);
  BOOST_TEST(what.find("secret") == std::string::npos, what);
  BOOST_TEST(sender.task->detail.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_client_errors_are_tried_again_if_wanted) {
  const Receiver receiver{always(404)};
  Sender sender{receiver.url()};
  sender.options.http->retry_client_errors = true;
  BOOST_TEST(sender.deliver().rfind("retry", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(the_answer_is_kept_with_the_attempt) {
  const Receiver receiver{always(500, "a\x01 \"body\" \xff")};
  Sender sender{receiver.url("/x?token=secret")};
  (void)sender.deliver();
  const auto detail = nlohmann::json::parse(sender.task->detail);
  BOOST_TEST(detail.at("status") == 500);
  BOOST_TEST(detail.at("request").get<std::string>() == "POST " + receiver.url("/x"));
  BOOST_TEST(detail.at("address").get<std::string>() == "127.0.0.1");
  BOOST_TEST(detail.at("body").get<std::string>() == "a\x01 \"body\" \xEF\xBF\xBD");
  BOOST_TEST(detail.at("body_bytes") == 11);
  BOOST_TEST(detail.at("ms").at("total").get<double>() > 0);
  BOOST_TEST(!sender.task->keep_detail);
}

BOOST_AUTO_TEST_CASE(the_answer_to_a_delivery_is_kept_only_if_asked_for) {
  const Receiver receiver{always(200, "thanks")};
  Sender sender{receiver.url()};
  BOOST_TEST(sender.deliver() == "done");
  BOOST_TEST(sender.task->detail.empty());
  Sender keeper{receiver.url()};
  keeper.options.http->keep_response = true;
  BOOST_TEST(keeper.deliver() == "done");
  BOOST_TEST(keeper.task->keep_detail);
  BOOST_TEST(nlohmann::json::parse(keeper.task->detail).at("body") == "thanks");
}

BOOST_AUTO_TEST_CASE(a_large_body_is_cut_and_an_endless_one_ends) {
  const Receiver receiver{[](const Received&) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(3'000'000, 'x');
  }};
  Sender sender{receiver.url()};
  sender.options.http->keep_response = true;
  BOOST_TEST(sender.deliver() == "done");
  const auto detail = nlohmann::json::parse(sender.task->detail);
  BOOST_TEST(detail.at("body").get<std::string>().size() <= 8'192U);
  BOOST_TEST(detail.at("body_bytes") <= 1'048'576);
  BOOST_TEST(sender.task->detail.size() < 16'384U);
}

BOOST_AUTO_TEST_CASE(broken_answers_are_failures_that_say_what_happened) {
  Text answer;
  const Receiver receiver{[&](const Received&) { return answer.get(); }};
  Sender sender{receiver.url()};
  sender.options.http->breaker.enabled = false;
  sender.options.timeout = 300ms;
  const auto says = [&](const std::string& bytes, const std::string& part) {
    answer = bytes;
    const auto what = sender.deliver();
    BOOST_TEST(what.rfind("retry: POST ", 0) == 0U, what);
    BOOST_TEST(what.find(part) != std::string::npos, what);
  };
  says("", "Empty reply");
  says("RESET", "reset");
  says("HTTP/1.1 200 OK\r\nContent-Le", "no whole answer within 300ms");
  says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf",
       "with 96 bytes remaining");
  says("not http at all\r\n\r\n", "HTTP/0.9");
  says("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", "");
}

BOOST_AUTO_TEST_CASE(a_port_where_nobody_listens_is_a_failure_with_a_hint) {
  std::string url;
  {
    const Receiver gone{always(200)};
    url = gone.url();
  }
  Sender sender{url};
  const auto what = sender.deliver();
  BOOST_TEST(what.find("is it running") != std::string::npos, what);
  BOOST_TEST(sender.metric(R"(outboxd_http_answers_total{answer="failed",kind="hook"})") == 1);
}

BOOST_AUTO_TEST_CASE(a_slow_answer_ends_at_the_timeout_of_the_kind) {
  std::atomic<bool> go{false};
  const Receiver receiver{[&](const Received&) {
    (void)eventually(10s, [&] { return go.load(); });
    return http(200);
  }};
  Sender sender{receiver.url()};
  sender.options.timeout = 200ms;
  BOOST_TEST(sender.deliver().find("no whole answer within 200ms") != std::string::npos);
  BOOST_TEST(std::string{std::get<store::RanUndone>(*sender.task->answer).reason} == "timeout");
  go = true;
}

BOOST_AUTO_TEST_CASE(beyond_a_crowd_there_is_another_one_which_is_closed_when_idle) {
  std::atomic<bool> hold{false};
  const Receiver receiver{[&](const Received&) {
    while (hold) std::this_thread::sleep_for(5ms);
    return http(200);
  }};
  Sender sender{receiver.url()};
  constexpr int kAtOnce = handlers::kCrowd + 44;
  sender.options.http->concurrency = kAtOnce;
  sender.options.timeout = 60s;
  sender.loop = std::make_shared<HttpLoop>(kAtOnce, 200ms);
  std::size_t started = 0;
  const auto start = [&](int jobs) {
    for (int i = 0; i < jobs; ++i) (void)sender.start();
    started += static_cast<std::size_t>(jobs);
  };
  const auto hold_as_many_as_may_be = [&] {
    hold = true;
    start(kAtOnce);
    const bool there = eventually(20s, [&] { return receiver.count() == started; });
    hold = false;
    return sender.counter.wait(started) && there;
  };
  start(kAtOnce);  // each answer lets one more go at once
  BOOST_TEST(sender.counter.wait(started));
  BOOST_TEST(hold_as_many_as_may_be());
  BOOST_TEST(receiver.connections() == kAtOnce);
  std::this_thread::sleep_for(500ms);
  BOOST_TEST(hold_as_many_as_may_be());
  BOOST_TEST(receiver.connections() == kAtOnce + 44);
}

BOOST_AUTO_TEST_CASE(no_more_at_once_than_its_concurrency) {
  std::atomic<bool> go{false};
  const Receiver receiver{[&](const Received&) {
    (void)eventually(10s, [&] { return go.load(); });
    return http(200);
  }};
  Sender sender{receiver.url()};
  sender.options.http->concurrency = 3;
  BOOST_TEST(sender.kind().room().jobs == 3);
  for (int i = 0; i < 10; ++i) sender.start();
  BOOST_TEST(sender.kind().room().jobs == 0);
  BOOST_TEST(eventually(5s, [&] { return receiver.count() == 3U; }));
  go = true;
  BOOST_TEST(sender.counter.wait(10));
  BOOST_TEST(receiver.most_at_once() == 3);
  BOOST_TEST(receiver.count() == 10U);
}

BOOST_AUTO_TEST_CASE(a_busy_endpoint_is_left_alone_as_long_as_it_asks) {
  std::atomic<int> answered{0};
  const Receiver receiver{[&](const Received&) {
    return answered++ == 0 ? http(429, "", "Retry-After: 7\r\n") : http(200);
  }};
  Sender sender{receiver.url()};
  const auto what = sender.deliver();
  BOOST_TEST(what.find("asked to be left alone for 7s") != std::string::npos, what);
  const auto& retry = std::get<Retry>(std::get<store::RanUndone>(*sender.task->answer).outcome);
  BOOST_TEST((retry.after && *retry.after == 7s));
  const auto room = sender.kind().room();
  BOOST_TEST(room.jobs == 0);
  BOOST_TEST((room.again > 6s && room.again <= 7s));
  BOOST_TEST(sender.deliver() == "snooze");
  BOOST_TEST(receiver.count() == 1U);
}

BOOST_AUTO_TEST_CASE(the_breaker_opens_without_charging_and_a_probe_closes_it) {
  std::atomic<int> status{500};
  const Receiver receiver{[&](const Received&) { return http(status); }};
  Sender sender{receiver.url()};
  auto& breaker = sender.options.http->breaker;
  breaker.least = 5;
  breaker.pause = 200ms;
  breaker.pause_most = 200ms;
  for (int i = 0; i < 5; ++i) BOOST_TEST(sender.deliver().rfind("retry", 0) == 0U);
  BOOST_TEST(sender.metric(R"(outboxd_http_breakers_open{kind="hook"})") == 1);
  BOOST_TEST(sender.deliver() == "snooze");
  BOOST_TEST(receiver.count() == 5U);
  BOOST_TEST(sender.kind().room().jobs == 0);
  BOOST_TEST(eventually(5s, [&] { return sender.kind().room().jobs == 1; }));
  BOOST_TEST(sender.deliver() == "snooze");  // the probe failed, and nobody is charged
  BOOST_TEST(receiver.count() == 6U);
  status = 200;
  BOOST_TEST(eventually(5s, [&] { return sender.kind().room().jobs == 1; }));
  BOOST_TEST(sender.deliver() == "done");
  BOOST_TEST(sender.metric(R"(outboxd_http_breakers_open{kind="hook"})") == 0);
  BOOST_TEST(sender.kind().room().jobs >= 1);
}

BOOST_AUTO_TEST_CASE(a_rate_is_kept) {
  const Receiver receiver{always(200)};
  Sender sender{receiver.url()};
  sender.options.http->rate = 50;
  const auto start = core::Clock::now();
  for (int i = 0; i < 26; ++i) sender.start();
  BOOST_TEST(sender.counter.wait(26));
  BOOST_TEST(((core::Clock::now() - start) >= 490ms));
}

BOOST_AUTO_TEST_CASE(a_host_from_the_payload_must_be_public) {
  const Receiver receiver{always(200)};
  Sender sender{"{url}"};
  sender.options.http->allow_plain_http = true;
  const auto what = sender.deliver(R"({"url": ")" + receiver.url() + R"("})");
  BOOST_TEST(what.rfind("discard: ", 0) == 0U, what);
  BOOST_TEST(what.find("a loopback address") != std::string::npos, what);
  BOOST_TEST(what.find("allow_addresses") != std::string::npos, what);
  BOOST_TEST(receiver.connections() == 0);
  for (const std::string host : {"169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost"}) {
    BOOST_TEST(
        sender.deliver(R"({"url": "http://)" + host + R"(:1/"})").rfind("discard: ", 0) == 0U,
        host);
  }
}

BOOST_AUTO_TEST_CASE(a_network_may_be_allowed) {
  const Receiver receiver{always(200)};
  Sender sender{"http://{host}:" + std::to_string(receiver.port()) + "/{id}"};
  sender.options.http->allow_plain_http = true;
  sender.options.http->allow_addresses = {"127.0.0.0/8"};
  BOOST_TEST(sender.deliver(R"({"host": "127.0.0.1", "id": "a/b"})") == "done");
  BOOST_TEST(receiver.received().at(0).target == "/a%2Fb");
}

BOOST_AUTO_TEST_CASE(a_connection_of_another_kind_is_no_way_around_the_guard) {
  const Receiver receiver{always(200)};
  Sender free{receiver.url()};
  BOOST_TEST(free.deliver() == "done");
  Sender guarded{"{url}"};
  guarded.loop = free.loop;
  guarded.options.http->allow_plain_http = true;
  BOOST_TEST(guarded.deliver(R"({"url": ")" + receiver.url() + R"("})").find("loopback") !=
             std::string::npos);
  BOOST_TEST(receiver.count() == 1U);
}

BOOST_AUTO_TEST_CASE(plain_http_from_a_payload_needs_a_word) {
  Sender sender{"{url}"};
  BOOST_TEST(sender.deliver(R"({"url": "http://example.com/"})").find("allow_plain_http") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_payload_that_makes_no_url_is_discarded_by_name) {
  const Receiver receiver{always(200)};
  Sender sender{receiver.url("/{order.id}")};
  BOOST_TEST(sender.deliver(R"({"order": {}})").find("order.id") != std::string::npos);
  BOOST_TEST(sender.deliver(R"({"order": {"id": ".."}})").rfind("discard", 0) == 0U);
  BOOST_TEST(receiver.count() == 0U);
}

BOOST_AUTO_TEST_CASE(headers_of_the_job_travel_along_but_never_replace_ours) {
  const Receiver receiver{always(200)};
  Sender sender{receiver.url()};
  sender.options.http->headers = {{"X-Shop", "main"}};
  BOOST_TEST(sender.deliver(
                 "{}", R"({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "a=b", "http": {"X-Tenant": "t1"}})") == "done");
  const auto request = receiver.received().at(0);
  BOOST_TEST(request.header("x-shop") == "main");
  BOOST_TEST(request.header("x-tenant") == "t1");
  BOOST_TEST(request.header("traceparent") ==
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  BOOST_TEST(request.header("tracestate") == "a=b");
  for (const std::string name : {"Webhook-Id", "host", "Content-Length", "x-shop", "Bad Name"}) {
    const auto what = sender.deliver("{}", R"({"http": {")" + name + R"(": "x"}})");
    BOOST_TEST(what.rfind("discard: the job's headers", 0) == 0U, name << ": " << what);
  }
  BOOST_TEST(sender.deliver("{}", R"({"http": {"X-A": "b\r\nX-C: d"}})").rfind("discard", 0) == 0U);
  BOOST_TEST(receiver.count() == 1U);
}

BOOST_AUTO_TEST_CASE(a_configured_user_agent_replaces_ours) {
  const Receiver receiver{always(200)};
  Sender plain{receiver.url()};
  BOOST_TEST(plain.deliver() == "done");
  BOOST_TEST(receiver.received().at(0).header("user-agent").rfind("outboxd/", 0) == 0U);
  Sender sender{receiver.url()};
  sender.options.http->headers = {{"user-agent", "shop"}};
  BOOST_TEST(sender.deliver() == "done");
  BOOST_TEST(receiver.received().at(1).headers.count("user-agent") == 1U);
  BOOST_TEST(receiver.received().at(1).header("user-agent") == "shop");
}

BOOST_AUTO_TEST_CASE(cloudevents_in_binary_mode) {
  const Receiver receiver{always(200)};
  Sender sender{receiver.url()};
  sender.options.http->cloudevents_source = "/shop \"a\"";
  sender.options.http->cloudevents_type = "com.shop.order";
  BOOST_TEST(sender.deliver() == "done");
  const auto request = receiver.received().at(0);
  BOOST_TEST(request.header("ce-specversion") == "1.0");
  BOOST_TEST(request.header("ce-id") == request.header("webhook-id"));
  BOOST_TEST(request.header("ce-source") == "/shop%20%22a%22");
  BOOST_TEST(request.header("ce-type") == "com.shop.order");
}

BOOST_AUTO_TEST_CASE(a_body_may_say_snooze_or_discard_if_enabled) {
  Text body;
  const Receiver receiver{[&](const Received&) { return http(200, body.get()); }};
  Sender sender{receiver.url()};
  body = R"({"snooze": "5m"})";
  BOOST_TEST(sender.deliver() == "done");
  Sender listening{receiver.url()};
  listening.options.http->control = true;
  BOOST_TEST(listening.deliver() == "snooze");
  body = R"({"discard": "no such user"})";
  BOOST_TEST(listening.deliver() == "discard: no such user");
  body = R"({"ok": true})";
  BOOST_TEST(listening.deliver() == "done");
  body = "thanks";
  BOOST_TEST(listening.deliver() == "done");
  body = R"({"snooze": "soon"})";
  BOOST_TEST(listening.deliver().find("its body is unclear") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_expired_job_is_not_sent) {
  const Receiver receiver{always(200)};
  Sender sender{receiver.url()};
  auto task = std::make_shared<engine::Task>();
  task->claimed.job.payload = "{}";
  task->claimed.expires_at_us = 1;
  task->claimed.claimed_at_us = 2;
  std::atomic<bool> over{false};
  sender.kind().start(task, [&](const engine::TaskPtr&) { over = true; });
  BOOST_TEST(eventually(5s, [&] { return over.load(); }));
  BOOST_TEST(told(*task) == "expired");
  BOOST_TEST(receiver.count() == 0U);
}

BOOST_AUTO_TEST_CASE(abandoned_jobs_come_back_at_once) {
  std::atomic<bool> go{false};
  const Receiver receiver{[&](const Received&) {
    (void)eventually(10s, [&] { return go.load(); });
    return http(200);
  }};
  Sender sender{receiver.url()};
  sender.options.http->concurrency = 1;
  const auto first = sender.start();
  const auto second = sender.start();
  BOOST_TEST(eventually(5s, [&] { return receiver.count() == 1U; }));
  const auto start = core::Clock::now();
  first->abandoned = true;
  sender.kind().look_for_abandoned();
  BOOST_TEST(sender.counter.wait(1));
  BOOST_TEST(((core::Clock::now() - start) < 2s));
  go = true;
  BOOST_TEST(sender.counter.wait(2));
  BOOST_TEST(told(*second) == "done");
}

BOOST_AUTO_TEST_CASE(a_proxy_of_the_environment_is_not_used) {
  const Receiver receiver{always(200)};
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  Sender sender{receiver.url()};
  BOOST_TEST(sender.deliver() == "done");
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
}

BOOST_AUTO_TEST_SUITE_END()
