// Deliveries in trouble: endpoints that are dark, hosts that are half allowed, a process that is
// short of sockets.
#include <atomic>
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "handlers/http.hpp"
#include "support/eventually.hpp"
#include "support/receiver.hpp"

namespace http_trouble_test {

using namespace outbox;
using namespace std::chrono_literals;
using handlers::HttpKind;
using handlers::HttpLoop;
using test::Counter;
using test::http;
using test::Received;
using test::Receiver;
using test::told;

/// One http kind of its own loop.
struct Sender {
  explicit Sender(const std::string& url) {
    options.http.emplace();
    options.http->url = url;
    options.timeout = 5s;
  }
  HttpKind& kind() {
    if (!made) made = std::make_unique<HttpKind>("hook", options, "msg_", loop, events);
    return *made;
  }
  engine::TaskPtr deliver(const std::string& payload = "{}") {
    auto task = counter.start(kind(), payload);
    BOOST_REQUIRE(counter.wait(++sent));
    return task;
  }

  observe::Events events;
  std::shared_ptr<HttpLoop> loop = std::make_shared<HttpLoop>(100);
  core::KindOptions options;
  Counter counter;
  std::size_t sent{0};
  std::unique_ptr<HttpKind> made;
};

/// New descriptors are refused as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{3, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace http_trouble_test

BOOST_AUTO_TEST_SUITE(http_trouble_test)

BOOST_AUTO_TEST_CASE(all_requests_to_an_endpoint_that_never_shakes_hands_end_in_time) {
  const Receiver dark{[](const Received&) { return http(200); }};  // waits for the end of a request
  Sender sender{"https://127.0.0.1:" + std::to_string(dark.port()) + "/"};
  sender.options.http->connect_timeout = 200ms;
  const auto start = core::Clock::now();
  for (int i = 0; i < 20; ++i) (void)sender.counter.start(sender.kind());
  BOOST_TEST(sender.counter.wait(20));
  BOOST_TEST(((core::Clock::now() - start) < 1s));
  BOOST_TEST(sender.kind().room().jobs == 0);  // so many failures open the breaker
}

BOOST_AUTO_TEST_CASE(a_host_with_an_allowed_address_that_is_down_is_tried_again) {
  int port = 0;
  {
    const Receiver gone{[](const Received&) { return http(200); }};
    port = gone.port();
  }
  Sender sender{"http://{host}:" + std::to_string(port) + "/"};
  sender.options.http->allow_plain_http = true;
  sender.options.http->allow_addresses = {"127.0.0.0/8"};
  const auto what = told(*sender.deliver(R"({"host": "localhost"})"));  // ::1 as well
  BOOST_TEST(what.rfind("retry: ", 0) == 0U, what);
}

BOOST_AUTO_TEST_CASE(a_secret_url_that_the_receiver_repeats_is_not_shown) {
  const std::string secret = "/services/T00/s3cr3t";
  for (const bool redirect : {false, true}) {
    const Receiver receiver{[&](const Received& request) {
      return redirect
                 ? http(301, "moved", "Location: https://other.example" + request.target + "/\r\n")
                 : http(404, "Cannot POST " + request.target);
    }};
    Sender sender{receiver.url(secret)};
    sender.options.http->url_file = "/run/secrets/url";
    const auto task = sender.deliver();
    BOOST_TEST(told(*task).find("s3cr3t") == std::string::npos, told(*task));
    BOOST_TEST(task->detail.find("s3cr3t") == std::string::npos, task->detail);
    BOOST_TEST(task->detail.find(redirect ? "moved" : "Cannot POST") != std::string::npos,
               task->detail);
  }
}

BOOST_AUTO_TEST_CASE(a_token_that_the_receiver_repeats_is_not_shown) {
  const Receiver receiver{[&](const Received& request) {
    return http(403, "bad: " + request.header("authorization"));
  }};
  Sender sender{receiver.url()};
  sender.options.http->bearer.text = "t0k3n-of-ours";
  const auto task = sender.deliver();
  BOOST_TEST(told(*task).find("t0k3n") == std::string::npos, told(*task));
  BOOST_TEST(task->detail.find("t0k3n") == std::string::npos, task->detail);
}

BOOST_AUTO_TEST_CASE(without_descriptors_nothing_more_is_claimed_for_a_moment) {
  const Receiver receiver{[](const Received&) { return http(200); }};
  for (const std::string& url : {receiver.url(), std::string{"{url}"}}) {
    Sender sender{url};
    sender.options.http->allow_plain_http = true;
    sender.options.http->allow_addresses = {"127.0.0.0/8"};
    const std::string payload = R"({"url": ")" + receiver.url() + R"("})";
    BOOST_TEST(sender.kind().room().jobs > 0);
    {
      const NoDescriptors none;
      BOOST_TEST(told(*sender.deliver(payload)) == "snooze");
    }
    const auto room = sender.kind().room();
    BOOST_TEST(room.jobs == 0, url);
    BOOST_TEST((room.again > 0ms && room.again <= 2s), url);
    BOOST_TEST(test::eventually(5s, [&] { return sender.kind().room().jobs > 0; }));
  }
}

BOOST_AUTO_TEST_SUITE_END()
