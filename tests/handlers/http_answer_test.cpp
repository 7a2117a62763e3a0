// Retry-After, and what cannot be brought about with a real socket.
#include "handlers/http_answer.hpp"

#include <boost/test/unit_test.hpp>

namespace http_answer_test {

using namespace outbox;
using namespace std::chrono_literals;
using namespace handlers;

core::KindOptions settings() {
  core::KindOptions options;
  options.http.emplace();
  options.backoff = {.first = 10s, .factor = 2, .cap = 1h, .jitter = 0};
  return options;
}

HttpAnswer answered(long status, const std::string& retry_after = "") {
  HttpAnswer answer;
  answer.end = HttpAnswer::End::answered;
  answer.status = status;
  answer.retry_after = retry_after;
  return answer;
}

const AnswerContext kContext{
    .where = "POST https://a.example", .attempt = 2, .now = 1'700'000'000, .spin = 0.5};

std::chrono::milliseconds delay(const Conclusion& conclusion) {
  const auto* retry = std::get_if<Retry>(&conclusion.outcome);
  return retry != nullptr && retry->after ? *retry->after : -1ms;
}

}  // namespace http_answer_test

BOOST_AUTO_TEST_SUITE(http_answer_test)

BOOST_AUTO_TEST_CASE(retry_after_is_seconds_or_a_date) {
  constexpr std::int64_t kNow = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
  const auto read = [](const std::string& text) {
    const auto parsed = parse_retry_after(text, kNow);
    return parsed ? parsed->count() : -1;
  };
  BOOST_TEST(read("120") == 120'000);
  BOOST_TEST(read("0") == 0);
  BOOST_TEST(read("Sun, 06 Nov 1994 08:50:37 GMT") == 60'000);
  BOOST_TEST(read("Sunday, 06-Nov-94 08:50:37 GMT") == 60'000);
  BOOST_TEST(read("Sun Nov  6 08:50:37 1994") == 60'000);
  BOOST_TEST(read("Sun, 06 Nov 1994 08:48:37 GMT") == -1);
  BOOST_TEST(read("99999999999999999999999") == 30LL * 86'400'000);
  for (const char* bad : {"", "soon", "-5", "1.5", "Sun, 99 Nov 1994", "12h"})
    BOOST_TEST(read(bad) == -1, bad);
}

BOOST_AUTO_TEST_CASE(the_longer_of_backoff_and_retry_after_counts) {
  const auto options = settings();
  BOOST_TEST((delay(conclude(answered(429, "5"), options, kContext)) == 20s));
  BOOST_TEST((delay(conclude(answered(503, "60"), options, kContext)) == 60s));
  BOOST_TEST((conclude(answered(503, "60"), options, kContext).hold == 60s));
  // Only these two may ask for it.
  BOOST_TEST((delay(conclude(answered(500, "60"), options, kContext)) == -1ms));
  BOOST_TEST(!conclude(answered(500, "60"), options, kContext).hold);
}

BOOST_AUTO_TEST_CASE(retry_after_has_a_limit) {
  auto options = settings();
  options.http->retry_after_most = 1min;
  BOOST_TEST((delay(conclude(answered(429, "86400"), options, kContext)) == 1min));
}

BOOST_AUTO_TEST_CASE(a_receiver_among_many_that_is_gone_takes_only_its_job_along) {
  auto context = kContext;
  context.many_endpoints = true;
  const auto conclusion = conclude(answered(410), settings(), context);
  BOOST_TEST(std::holds_alternative<Discard>(conclusion.outcome));
  BOOST_TEST(conclusion.pause_kind.empty());
}

BOOST_AUTO_TEST_CASE(what_this_process_could_not_send_costs_nobody_anything) {
  HttpAnswer answer;
  answer.end = HttpAnswer::End::not_sent;
  const auto conclusion = conclude(answer, settings(), kContext);
  BOOST_TEST(std::holds_alternative<Snooze>(conclusion.outcome));
  BOOST_TEST((conclusion.sign == Endpoint::Sign::none));
}

BOOST_AUTO_TEST_CASE(a_conflict_means_still_running_only_with_an_idempotency_key) {
  auto options = settings();
  BOOST_TEST(std::holds_alternative<Retry>(conclude(answered(409), options, kContext).outcome));
  options.http->idempotency_key = core::IdempotencyKey::off;
  BOOST_TEST(std::holds_alternative<Discard>(conclude(answered(409), options, kContext).outcome));
}

BOOST_AUTO_TEST_SUITE_END()
