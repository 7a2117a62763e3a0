// Which lane runs which kind: by configuration, by time, and after a failed group.
#include "engine/lane_plan.hpp"

#include <boost/test/unit_test.hpp>

namespace lane_plan_test {

using namespace outbox;
using namespace std::chrono_literals;
using engine::LanePlan;

engine::Handler sql(core::Lane lane = core::Lane::automatic) {
  engine::Handler handler;
  handler.run = store::SqlBody{"SELECT 1", "worker"};
  handler.options.lane = lane;
  return handler;
}

engine::Handler cpp() {
  engine::Handler handler;
  handler.run = HandlerFunction{[](Context&) { return Context::done(); }};
  return handler;
}

std::vector<std::string> direct_kinds(const LanePlan& plan) {
  std::vector<std::string> out;
  if (const auto kinds = plan.direct()) {
    for (const auto& kind : kinds->all()) out.push_back(kind.kind);
  }
  return out;
}

using Names = std::vector<std::string>;

struct Fixture {
  observe::Events events;
  engine::HandlerTable handlers{{"auto", sql()},
                                {"always_claimed", sql(core::Lane::claimed)},
                                {"always_direct", sql(core::Lane::direct)},
                                {"cpp", cpp()}};
  LanePlan plan{"default", handlers, events};
};

}  // namespace lane_plan_test

BOOST_FIXTURE_TEST_SUITE(lane_plan_test, Fixture)

BOOST_AUTO_TEST_CASE(sql_kinds_start_in_the_direct_lane_unless_told_otherwise) {
  BOOST_TEST(direct_kinds(plan) == (Names{"always_direct", "auto"}));
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "cpp"}));
  BOOST_TEST(!plan.claimed().one_by_one);
  BOOST_TEST(plan.all_kinds() == (Names{"always_claimed", "always_direct", "auto", "cpp"}));
}

BOOST_AUTO_TEST_CASE(the_direct_lane_gets_statement_role_and_backoff) {
  handlers.at("auto").options.backoff.first = 77ms;
  const LanePlan other{"default", handlers, events};
  const auto direct = other.direct();
  const auto& kind = direct->all().at(1);
  BOOST_TEST(kind.body.statement == "SELECT 1");
  BOOST_TEST(kind.body.role == "worker");
  BOOST_TEST((kind.backoff.first == 77ms));
}

BOOST_AUTO_TEST_CASE(a_paused_kind_is_in_neither_lane_until_it_is_resumed) {
  BOOST_TEST(plan.set_paused({"auto", "cpp", "unknown"}));
  BOOST_TEST(direct_kinds(plan) == (Names{"always_direct"}));
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed"}));
  BOOST_TEST(plan.all_kinds() == (Names{"always_claimed", "always_direct"}));
  BOOST_TEST(!plan.set_paused({"cpp", "auto"}));
  plan.isolate(1, "a group failed");
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "always_direct"}));
  plan.end_isolation();
  plan.pause("always_direct");
  plan.pause("unknown");
  BOOST_TEST(plan.direct() == nullptr);
  BOOST_TEST(plan.set_paused({"always_direct"}));
  BOOST_TEST(plan.all_kinds() == (Names{"always_claimed", "auto", "cpp"}));
  BOOST_TEST(direct_kinds(plan) == (Names{"auto"}));
  BOOST_TEST(plan.set_paused({}));
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "cpp"}));
}

BOOST_AUTO_TEST_CASE(a_kind_that_became_slow_while_it_was_paused_comes_back_in_the_other_lane) {
  BOOST_TEST(plan.set_paused({"auto"}));
  BOOST_TEST(plan.observe("auto", 10s));  // the last of its jobs ended
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "cpp"}));
  BOOST_TEST(plan.set_paused({}));
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "auto", "cpp"}));
}

BOOST_AUTO_TEST_CASE(without_sql_kinds_there_is_no_direct_lane) {
  const engine::HandlerTable only_cpp{{"cpp", cpp()}};
  LanePlan other{"default", only_cpp, events};
  BOOST_TEST(other.direct() == nullptr);
  other.isolate(5, "no group can have failed");
  BOOST_TEST(!other.claimed().one_by_one);
}

BOOST_AUTO_TEST_CASE(a_slow_automatic_kind_moves_to_the_claimed_lane_and_comes_back_when_short) {
  (void)plan.observe("auto", 499ms);
  BOOST_TEST(direct_kinds(plan) == (Names{"always_direct", "auto"}));
  BOOST_TEST(plan.observe("auto", 2s));
  for (int i = 0; i < 20; ++i) BOOST_TEST(!plan.observe("auto", 2s));
  BOOST_TEST(direct_kinds(plan) == Names{"always_direct"});
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "auto", "cpp"}));

  int until_back = 0;
  while (direct_kinds(plan).size() == 1 && until_back < 1'000) {
    (void)plan.observe("auto", 200ms);  // below the limit, yet not by much
    ++until_back;
  }
  BOOST_TEST(until_back == 1'000);
  for (int i = 0; i < 100; ++i) (void)plan.observe("auto", 10ms);
  BOOST_TEST(direct_kinds(plan) == (Names{"always_direct", "auto"}));
}

BOOST_AUTO_TEST_CASE(a_kind_that_was_told_its_lane_stays_there) {
  for (int i = 0; i < 20; ++i) {
    (void)plan.observe("always_direct", 10s);
    (void)plan.observe("always_claimed", 1ms);
    (void)plan.observe("cpp", 1ms);
    (void)plan.observe("nobody knows it", 10s);
  }
  BOOST_TEST(direct_kinds(plan) == (Names{"always_direct", "auto"}));
  BOOST_TEST(plan.claimed().kinds == (Names{"always_claimed", "cpp"}));
}

BOOST_AUTO_TEST_CASE(isolation_hands_every_kind_to_the_claimed_lane_for_so_many_jobs) {
  plan.isolate(2, "a group failed");
  BOOST_TEST(plan.direct() == nullptr);
  BOOST_TEST(plan.claimed().one_by_one);
  BOOST_TEST(plan.claimed().kinds == plan.all_kinds());
  plan.isolated_one_done();
  BOOST_TEST(plan.claimed().one_by_one);
  plan.isolated_one_done();
  BOOST_TEST(!plan.claimed().one_by_one);
  BOOST_TEST(direct_kinds(plan).size() == 2U);
  plan.isolated_one_done();  // one that was running before
  BOOST_TEST(direct_kinds(plan).size() == 2U);
}

BOOST_AUTO_TEST_CASE(isolation_ends_early_when_nothing_is_left) {
  plan.isolate(16, "a group failed");
  plan.end_isolation();
  BOOST_TEST(!plan.claimed().one_by_one);
  BOOST_TEST(plan.direct() != nullptr);
}

BOOST_AUTO_TEST_CASE(a_second_isolation_never_shortens_the_first) {
  plan.isolate(3, "a group failed");
  plan.isolate(1, "another one failed");
  plan.isolated_one_done();
  BOOST_TEST(plan.claimed().one_by_one);
}

BOOST_AUTO_TEST_SUITE_END()
