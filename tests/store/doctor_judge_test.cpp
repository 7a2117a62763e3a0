// Verdicts on numbers that no test can make a server have.
#include "store/doctor_judge.hpp"

#include <boost/test/unit_test.hpp>

namespace doctor_judge_test {

using namespace outbox::store::doctor;
using namespace std::chrono_literals;

}  // namespace doctor_judge_test

BOOST_AUTO_TEST_SUITE(doctor_judge_test)

BOOST_AUTO_TEST_CASE(a_skew_counts_only_beyond_the_error_of_its_measurement) {
  using namespace doctor_judge_test;
  BOOST_TEST((judge_clock(900ms, 1ms).status == Status::ok));
  BOOST_TEST((judge_clock(-900ms, 1ms).status == Status::ok));
  BOOST_TEST((judge_clock(1'200ms, 1ms).status == Status::warning));
  BOOST_TEST((judge_clock(-1'200ms, 1ms).status == Status::warning));
  BOOST_TEST((judge_clock(1'200ms, 800ms).status == Status::ok));
  BOOST_TEST(judge_clock(-1'200ms, 2ms).what ==
             "the server's clock is 1200.0 ms behind this machine's (round trip 2.0 ms)");
}

BOOST_AUTO_TEST_CASE(an_age_is_told_when_autovacuum_does_not_get_through) {
  using namespace doctor_judge_test;
  const auto status = [](std::int64_t age) {
    return judge_age("table outbox.jobs", age, 200'000'000, "VACUUM;").status;
  };
  BOOST_TEST((status(0) == Status::ok));
  BOOST_TEST((status(210'000'000) == Status::ok));  // it is being frozen just now
  BOOST_TEST((status(230'000'000) == Status::warning));
  BOOST_TEST((status(1'100'000'000) == Status::problem));
  BOOST_TEST(judge_age("x", 1'100'000'000, 200'000'000, "VACUUM;").fix == "VACUUM;");
}

BOOST_AUTO_TEST_CASE(connections_are_told_before_they_run_out) {
  using namespace doctor_judge_test;
  BOOST_TEST((judge_connections(80, 100).status == Status::ok));
  BOOST_TEST((judge_connections(81, 100).status == Status::warning));
  BOOST_TEST((judge_connections(96, 100).status == Status::problem));
}

BOOST_AUTO_TEST_SUITE_END()
