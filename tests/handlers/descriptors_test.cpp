// The limit of open files: raised as far as it may be, and told when that is not enough.
#include "handlers/descriptors.hpp"

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>

#include "support/captured_log.hpp"

namespace descriptors_test {

using namespace outbox;

/// Lowers the soft limit, and puts it back at the end.
class Lowered {
 public:
  explicit Lowered(rlim_t soft) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered{soft, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~Lowered() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  Lowered(const Lowered&) = delete;
  Lowered& operator=(const Lowered&) = delete;

  [[nodiscard]] rlim_t hard() const { return before_.rlim_max; }
  [[nodiscard]] static rlim_t soft() {
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    return now.rlim_cur;
  }

 private:
  rlimit before_{};
};

core::Options with_http(int concurrency) {
  core::Options options;
  options.queues["default"];
  auto& http = options.kinds["hook"].http.emplace();
  http.concurrency = concurrency;
  return options;
}

}  // namespace descriptors_test

BOOST_AUTO_TEST_SUITE(descriptors_test)

using namespace descriptors_test;

BOOST_AUTO_TEST_CASE(the_soft_limit_is_raised_to_the_hard_one) {
  const Lowered lowered{256};
  BOOST_TEST(static_cast<rlim_t>(handlers::raise_descriptor_limit()) == lowered.hard());
  BOOST_TEST(Lowered::soft() == lowered.hard());
}

BOOST_AUTO_TEST_CASE(it_stays_where_no_kind_waits_outside) {
  const Lowered lowered{256};
  core::Options options = with_http(100);
  options.kinds["hook"].http.reset();
  observe::Events events;
  handlers::provide_descriptors(options, events);
  BOOST_TEST(Lowered::soft() == 256U);
  handlers::provide_descriptors(with_http(100), events);
  BOOST_TEST(Lowered::soft() == lowered.hard());
}

BOOST_AUTO_TEST_CASE(each_request_each_child_and_each_thread_of_a_queue_is_counted) {
  const auto few = handlers::descriptors_needed(with_http(1));
  BOOST_TEST(handlers::descriptors_needed(with_http(1'001)) == few + 1'000);
  auto more = with_http(1);
  more.queues["mail"].concurrency = 10;
  more.queues["mail"].direct_workers = 3;
  BOOST_TEST(handlers::descriptors_needed(more) == few + 15);
  more.kinds["script"].exec.emplace().concurrency = 2;
  BOOST_TEST(handlers::descriptors_needed(more) > few + 15 + 2 * 7);
}

BOOST_AUTO_TEST_CASE(it_is_said_when_even_the_hard_limit_is_too_low) {
  const Lowered lowered{256};
  const test::CapturedLog log{"info", core::LogFormat::json};
  observe::Events events;
  auto options = with_http(1);
  handlers::provide_descriptors(options, events);
  BOOST_TEST(log.text().empty());
  options.kinds["hook"].http->concurrency = 2'000'000'000;
  handlers::provide_descriptors(options, events);
  BOOST_TEST(log.text().find("may need 2000000") != std::string::npos, log.text());
  BOOST_TEST(log.text().find("LimitNOFILE") != std::string::npos, log.text());
}

BOOST_AUTO_TEST_SUITE_END()
