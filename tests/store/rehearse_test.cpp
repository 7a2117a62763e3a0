// Declared beside measured: what counts as a difference.
#include "store/rehearse.hpp"

#include <boost/test/unit_test.hpp>

namespace rehearse_test {

using outbox::core::MigrationHeader;
using outbox::store::MeasuredRun;
using Strings = std::vector<std::string>;

MigrationHeader declared() {
  MigrationHeader header;
  header.locks = {{"outbox.jobs", "ACCESS EXCLUSIVE", "blocks"}};
  header.duration = std::chrono::milliseconds{100};
  return header;
}

MeasuredRun measured() {
  MeasuredRun run;
  run.locks = {{"outbox.jobs", "ACCESS EXCLUSIVE"}};
  run.took = std::chrono::milliseconds{100};
  return run;
}

Strings of(const MigrationHeader& header, const MeasuredRun& run, const Strings& large = {}) {
  return outbox::store::differences(header, run, large);
}

}  // namespace rehearse_test

BOOST_AUTO_TEST_SUITE(rehearse_test)

BOOST_AUTO_TEST_CASE(what_is_declared_and_measured_is_no_difference) {
  BOOST_TEST(of(declared(), measured()).empty());
}

BOOST_AUTO_TEST_CASE(locks_are_compared_both_ways_and_by_mode) {
  auto run = measured();
  run.locks["outbox.jobs"] = "SHARE";
  BOOST_TEST(of(declared(), run) ==
             (Strings{"lock on outbox.jobs: declared ACCESS EXCLUSIVE, measured SHARE"}));
  run.locks = {{"outbox.queues", "SHARE"}};
  BOOST_TEST(of(declared(), run) ==
             (Strings{"lock on outbox.jobs: declared ACCESS EXCLUSIVE, measured none",
                      "lock on outbox.queues: declared none, measured SHARE"}));
}

BOOST_AUTO_TEST_CASE(rewrites_are_compared_whatever_their_order) {
  auto header = declared();
  auto run = measured();
  header.rewrites = {"outbox.queues", "outbox.jobs"};
  run.rewrites = {"outbox.jobs", "outbox.queues"};
  BOOST_TEST(of(header, run).empty());
  run.rewrites.pop_back();
  BOOST_TEST(of(header, run) == (Strings{"rewrite: declared outbox.jobs, outbox.queues, measured "
                                         "outbox.jobs"}));
}

BOOST_AUTO_TEST_CASE(a_declared_scan_can_be_seen_on_large_tables_only) {
  auto header = declared();
  header.scans = {"outbox.jobs"};
  BOOST_TEST(of(header, measured()).empty());
  BOOST_TEST(of(header, measured(), {"outbox.jobs"}) ==
             (Strings{"scan of outbox.jobs: declared, not measured"}));
  auto run = measured();
  run.scans = {"outbox.dead_jobs"};
  BOOST_TEST(of(declared(), run) == (Strings{"scan of outbox.dead_jobs: measured, not declared"}));
}

BOOST_AUTO_TEST_CASE(a_run_that_takes_longer_than_declared_differs) {
  auto run = measured();
  run.took = std::chrono::milliseconds{101};
  BOOST_TEST(of(declared(), run) == (Strings{"duration: declared at most 100ms, measured 101ms"}));
}

BOOST_AUTO_TEST_SUITE_END()
