// The judge itself: it must acquit a good run and convict each doctored one, by the right rule.
#include "chaos/checker.hpp"

#include <algorithm>
#include <functional>
#include <sstream>

#include <boost/test/unit_test.hpp>

namespace checker_test {

using namespace outbox::chaos;

constexpr Key kLost{2, 1};

/// Three transactions: two rows, one row whose reply was lost, one that was rolled back. Row 1/1
/// failed once; row 1/2 works outside and ran twice, because of a crash.
History good() {
  History history;
  history.transactions = {
      {{1, 1}, 2, Outcome::ok}, {kLost, 1, Outcome::unknown}, {{1, 3}, 1, Outcome::undone}};
  history.business = {{{1, 1}, 11, false}, {{1, 2}, 12, true}, {kLost, 13, false}};
  history.effects = {{{1, 1}, 11, 2, 100, "a"}, {kLost, 13, 1, 110, "a"}};
  history.outside_effects = {{{1, 2}, 12, 1, 90, {}}, {{1, 2}, 12, 1, 120, {}}};
  history.starts = {{{1, 1}, 11, 1, 80, {}}, {{1, 1}, 11, 2, 100, {}}, {{1, 2}, 12, 1, 118, {}}};
  history.ends = {{11, "finished", 2, 0, 1, 0, 101},
                  {12, "finished", 1, 1, 0, 1, 121},
                  {13, "finished", 1, 0, 0, 0, 111}};
  return history;
}

bool convicts(const std::string& rule, const std::function<void(History&)>& doctor) {
  auto history = good();
  doctor(history);
  const auto violations = check(history).violations;
  return std::any_of(violations.begin(), violations.end(),
                     [&](const auto& violation) { return violation.rule == rule; });
}

}  // namespace checker_test

BOOST_AUTO_TEST_SUITE(checker_test)

BOOST_AUTO_TEST_CASE(a_good_history_is_acquitted_and_counted) {
  const auto report = check(good());
  for (const auto& violation : report.violations)
    BOOST_ERROR(violation.rule + ": " + violation.witness);
  BOOST_TEST(report.counts.at("acknowledged") == 2);
  BOOST_TEST(report.counts.at("unknown") == 1);
  BOOST_TEST(report.counts.at("outside_repeated") == 1);
  BOOST_TEST(report.counts.at("crashes") == 1);
}

BOOST_AUTO_TEST_CASE(a_lost_job_is_seen) {
  BOOST_TEST(convicts("lost", [](History& h) { h.effects.pop_back(); }));
  BOOST_TEST(convicts("lost", [](History& h) { h.outside_effects.clear(); }));
  BOOST_TEST(convicts("lost", [](History& h) { h.business.erase(h.business.begin()); }));
  BOOST_TEST(convicts("end", [](History& h) { h.ends.pop_back(); }));
}

BOOST_AUTO_TEST_CASE(a_doubled_effect_is_seen) {
  BOOST_TEST(convicts("doubled", [](History& h) { h.effects.push_back(h.effects.front()); }));
  BOOST_TEST(convicts("end", [](History& h) { h.ends.push_back(h.ends.front()); }));
}

BOOST_AUTO_TEST_CASE(a_wrong_order_is_seen) {
  BOOST_TEST(convicts("order", [](History& h) { h.effects.back().at_us = 50; }));
  BOOST_TEST(convicts("order", [](History& h) { h.outside_effects.front().attempt = 2; }));
}

BOOST_AUTO_TEST_CASE(an_empty_run_is_seen) {
  BOOST_TEST(convicts("empty", [](History& h) { h = {}; }));
  BOOST_TEST(convicts("empty", [](History& h) { h.transactions.clear(); }));
  BOOST_TEST(convicts("empty", [](History& h) {
    h.effects.clear();
    h.outside_effects.clear();
  }));
}

BOOST_AUTO_TEST_CASE(what_was_rolled_back_must_leave_nothing) {
  BOOST_TEST(convicts("phantom", [](History& h) { h.business.push_back({{1, 3}, 14, false}); }));
  BOOST_TEST(convicts("phantom", [](History& h) {
    h.effects.push_back({{1, 3}, 14, 1, 130, {}});
  }));
  BOOST_TEST(convicts("phantom", [](History& h) { h.business.push_back({{9, 9}, 15, false}); }));
}

BOOST_AUTO_TEST_CASE(a_transaction_is_there_as_a_whole_or_not_at_all) {
  BOOST_TEST(convicts("torn", [](History& h) { h.transactions.at(1).count = 2; }));
  BOOST_TEST(!convicts("torn", [](History& h) {
    h.business.pop_back();
    h.effects.pop_back();
    h.ends.pop_back();
  }));
}

BOOST_AUTO_TEST_CASE(a_message_keeps_its_id) {
  BOOST_TEST(convicts("message_id", [](History& h) { h.outside_effects.back().job_id = 99; }));
}

BOOST_AUTO_TEST_CASE(a_handler_that_runs_again_after_its_commit_is_seen) {
  BOOST_TEST(convicts("again", [](History& h) { h.starts.back().at_us = 122; }));
}

BOOST_AUTO_TEST_CASE(every_job_is_finished_in_the_end) {
  for (const char* state : {"dead", "stranded", "claimed", "waiting"})
    BOOST_TEST(convicts("end", [&](History& h) { h.ends.front().state = state; }));
}

BOOST_AUTO_TEST_CASE(attempts_and_crashes_add_up) {
  BOOST_TEST(convicts("accounts", [](History& h) { h.ends.front().attempt = 3; }));
  BOOST_TEST(convicts("accounts", [](History& h) { h.ends.front().crashes = 1; }));
  BOOST_TEST(convicts("accounts", [](History& h) { h.ends.at(1).crash_failures = 0; }));
}

BOOST_AUTO_TEST_CASE(files_are_read_as_they_were_written_but_for_a_torn_end) {
  const Transaction transaction{{3, 17}, 4, Outcome::unknown};
  const Effect effect{{3, 18}, 42, 2, 1'700'000'000'000'000, {}};
  std::istringstream transactions{to_line(transaction) + "3 21 1 o"};
  const auto read = read_transactions(transactions);
  BOOST_REQUIRE(read.size() == 1U);
  BOOST_TEST((read[0].first == transaction.first && read[0].count == 4 &&
              read[0].outcome == Outcome::unknown));
  std::istringstream effects{to_line(effect) + to_line(effect) + "3 18"};
  const auto ran = read_effects(effects);
  BOOST_REQUIRE(ran.size() == 2U);
  BOOST_TEST((ran[1].key == effect.key && ran[1].job_id == 42 && ran[1].at_us == effect.at_us));
  std::istringstream bad{"3 x 4 ok\n"};
  BOOST_CHECK_THROW((void)read_transactions(bad), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
