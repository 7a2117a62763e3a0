// The HTTP endpoint, over real sockets on loopback.
#include "cli/admin_server.hpp"

#include <boost/test/unit_test.hpp>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "support/captured_log.hpp"

namespace admin_server_test {

using namespace outbox;
using cli::AdminServer;

struct Fixture {
  test::CapturedLog log{"info", core::LogFormat::json};
  observe::Events events;
  engine::Health health{
      true, {}, 7, 3, std::chrono::milliseconds{120}, std::chrono::milliseconds{5'000}};
  AdminServer server{"127.0.0.1", 0, [this] { return health; }, events};
  httplib::Client client{"127.0.0.1", server.port()};
};

}  // namespace admin_server_test

BOOST_FIXTURE_TEST_SUITE(admin_server_test, Fixture)

BOOST_AUTO_TEST_CASE(health_says_that_the_process_lives) {
  health.ready = false;
  const auto answer = client.Get("/health");
  BOOST_REQUIRE(answer);
  BOOST_TEST(answer->status == 200);
  BOOST_TEST(nlohmann::json::parse(answer->body).at("status") == "up");
  BOOST_TEST(answer->get_header_value("Cache-Control") == "no-store");
}

BOOST_AUTO_TEST_CASE(ready_says_why_not) {
  auto answer = client.Get("/ready");
  BOOST_REQUIRE(answer);
  BOOST_TEST(answer->status == 200);
  auto json = nlohmann::json::parse(answer->body);
  BOOST_TEST(json.at("ready").get<bool>());
  BOOST_TEST(json.at("why_not").is_null());
  BOOST_TEST(json.at("processor") == 7);
  BOOST_TEST(json.at("heartbeat_age_ms") == 120);
  health.ready = false;
  health.why_not = "no heartbeat for 12 s \xFF";
  answer = client.Get("/ready");
  BOOST_REQUIRE(answer);
  BOOST_TEST(answer->status == 503);
  json = nlohmann::json::parse(answer->body);
  BOOST_TEST(json.at("why_not").get<std::string>().starts_with("no heartbeat for 12 s"));
}

BOOST_AUTO_TEST_CASE(metrics_are_prometheus_text) {
  events.finished({1, "default", "mail", 1}, std::chrono::milliseconds{1},
                  std::chrono::milliseconds{1});
  const auto answer = client.Get("/metrics");
  BOOST_REQUIRE(answer);
  BOOST_TEST(answer->status == 200);
  BOOST_TEST(answer->get_header_value("Content-Type") ==
             "text/plain; version=0.0.4; charset=utf-8");
  BOOST_TEST(
      answer->body.find("outboxd_jobs_finished_total{kind=\"mail\",queue=\"default\"} 1\n") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_paths_and_methods_are_refused) {
  BOOST_TEST(client.Get("/")->status == 404);
  BOOST_TEST(client.Get("/metrics/../etc/passwd")->status == 404);
  const auto post = client.Post("/health", "{}", "application/json");
  BOOST_REQUIRE(post);
  BOOST_TEST(post->status == 405);
  BOOST_TEST(post->get_header_value("Allow") == "GET, HEAD");
  BOOST_TEST(client.Delete("/metrics")->status == 405);
  BOOST_TEST(client.Head("/health")->status == 200);
  const auto large = client.Post("/health", std::string(100'000, 'x'), "text/plain");
  BOOST_TEST((!large || large->status == 413));
}

BOOST_AUTO_TEST_CASE(a_foreign_host_header_is_refused_on_loopback) {
  const auto status = [&](const std::string& host) {
    return client.Get("/metrics", httplib::Headers{{"Host", host}})->status;
  };
  for (const char* good :
       {"localhost", "LOCALHOST:9090", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:80"})
    BOOST_TEST(status(good) == 200, good);
  for (const char* bad :
       {"evil.example", "evil.example:9090", "localhost.evil.example", "[::1", "127.0.0.1.nip.io"})
    BOOST_TEST(status(bad) == 421, bad);
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_or_an_address_that_is_not_ours_is_told) {
  const auto names = [](const std::string& part) {
    return [part](const core::Error& e) {
      return e.code() == core::ExitCode::configuration &&
             std::string{e.what()}.find(part) != std::string::npos;
    };
  };
  const auto listen = [&](const std::string& host, int port) {
    const AdminServer second{host, port, [this] { return health; }, events};
  };
  BOOST_CHECK_EXCEPTION(listen("127.0.0.1", server.port()), core::Error,
                        names("Address already in use"));
  BOOST_CHECK_EXCEPTION(listen("192.0.2.1", 0), core::Error, names("192.0.2.1:0"));
  BOOST_CHECK_EXCEPTION(listen("no such host", 0), core::Error, names("no such host"));
}

BOOST_AUTO_TEST_CASE(its_address_is_logged_and_its_end_does_not_wait_for_idle_clients) {
  BOOST_TEST(log.text().find("http://127.0.0.1:" + std::to_string(server.port())) !=
             std::string::npos);
  client.set_keep_alive(true);
  const auto start = std::chrono::steady_clock::now();
  {
    const AdminServer second{"127.0.0.1", 0, [this] { return health; }, events};
    httplib::Client idle{"127.0.0.1", second.port()};
    idle.set_keep_alive(true);
    BOOST_TEST(idle.Get("/health")->status == 200);
  }
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds{4}));
}

BOOST_AUTO_TEST_SUITE_END()
