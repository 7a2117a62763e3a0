// The endpoint of the delivery scenarios, and the plain loop that they are compared with.
#include "bench/receiver.hpp"

#include <boost/test/unit_test.hpp>

#include "bench/plain.hpp"

namespace receiver_test {

using namespace outbox;
using namespace std::chrono_literals;
using bench::Receiver;

core::KindOptions to(const std::string& url, int concurrency) {
  core::KindOptions kind;
  kind.http.emplace();
  kind.http->url = url;
  kind.http->concurrency = concurrency;
  return kind;
}

}  // namespace receiver_test

BOOST_AUTO_TEST_SUITE(receiver_test)

using namespace receiver_test;

BOOST_AUTO_TEST_CASE(every_request_is_answered_on_connections_that_are_used_again) {
  const Receiver receiver{0ms};
  const auto run = bench::deliver_plainly(to(receiver.url(), 7), 500);
  BOOST_TEST(receiver.counters().answered == 500);
  BOOST_TEST(receiver.counters().connections == 7);
  BOOST_TEST(run.seconds > 0);
  BOOST_TEST(run.cpu_seconds > 0);
  BOOST_TEST(run.peak_rss_mb > 1);
  BOOST_TEST(receiver.cpu_seconds() > 0);
}

BOOST_AUTO_TEST_CASE(answers_are_late_by_the_delay_and_not_one_after_the_other) {
  Receiver receiver{200ms};
  const auto run = bench::deliver_plainly(to(receiver.url(), 50), 100);
  BOOST_TEST(receiver.counters().most == 50);
  BOOST_TEST(receiver.counters().waiting == 0);
  BOOST_TEST(run.seconds >= 0.4);
  BOOST_TEST(run.seconds < 10);
  receiver.forget_most();
  BOOST_TEST(receiver.counters().most == 0);
}

BOOST_AUTO_TEST_CASE(a_request_that_fails_ends_the_plain_run) {
  const auto nobody = [] { return Receiver{0ms}.url(); }();
  BOOST_CHECK_THROW((void)bench::deliver_plainly(to(nobody, 2), 10), core::Error);
}

BOOST_AUTO_TEST_SUITE_END()
