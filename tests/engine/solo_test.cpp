// A suspect runs with nothing else of the claimed lane, and nothing else is claimed meanwhile.
#include "engine/solo.hpp"

#include <optional>

#include <boost/test/unit_test.hpp>

#include "support/eventually.hpp"

namespace solo_test {

using namespace std::chrono_literals;
using outbox::engine::SoloGate;
using outbox::test::eventually;

bool open(SoloGate& gate) { return bool{SoloGate::Entry{gate}}; }

}  // namespace solo_test

BOOST_AUTO_TEST_SUITE(solo_test)

BOOST_AUTO_TEST_CASE(without_a_wish_the_gate_is_open) {
  SoloGate gate;
  BOOST_TEST(open(gate));
  gate.claimed(3);
  BOOST_TEST(open(gate));
  gate.finished(3);
}

BOOST_AUTO_TEST_CASE(a_wish_closes_the_gate_and_is_granted_when_all_claims_have_finished) {
  SoloGate gate;
  gate.claimed(2);
  SoloGate::Wish wish{gate};
  BOOST_TEST(!open(gate));
  BOOST_TEST(!wish.granted());
  gate.finished(1);
  BOOST_TEST(!wish.granted());
  gate.finished(1);
  BOOST_TEST(wish.granted());
  BOOST_TEST(!open(gate));
  gate.claimed(1);  // the suspect itself
  BOOST_TEST(wish.granted());
}

BOOST_AUTO_TEST_CASE(two_wishes_are_granted_one_after_the_other) {
  SoloGate gate;
  std::optional<SoloGate::Wish> first{std::in_place, gate};
  SoloGate::Wish second{gate};
  BOOST_TEST(first->granted());
  BOOST_TEST(!second.granted());
  first.reset();
  BOOST_TEST(!open(gate));
  BOOST_TEST(second.granted());
}

// The jobs are counted when the claim's statement has returned; a suspect must not start meanwhile.
BOOST_AUTO_TEST_CASE(a_claim_in_the_making_keeps_a_suspect_waiting) {
  SoloGate gate;
  std::optional<SoloGate::Entry> entry{std::in_place, gate};
  BOOST_TEST(bool{*entry});
  SoloGate::Wish wish{gate};
  BOOST_TEST(!wish.granted());
  gate.claimed(1);
  entry.reset();
  BOOST_TEST(!wish.granted());
  gate.finished(1);
  BOOST_TEST(wish.granted());
}

BOOST_AUTO_TEST_CASE(an_entry_that_was_refused_counts_for_nothing) {
  SoloGate gate;
  SoloGate::Wish wish{gate};
  {
    const SoloGate::Entry refused{gate};
    BOOST_TEST(!refused);
    BOOST_TEST(wish.granted());
  }
  BOOST_TEST(wish.granted());
}

BOOST_AUTO_TEST_CASE(patience_ends_and_the_suspect_runs_beside_the_others) {
  SoloGate gate{20ms};
  gate.claimed(1);
  SoloGate::Wish wish{gate};
  BOOST_TEST(!wish.granted());
  BOOST_TEST(eventually(5s, [&] { return wish.granted(); }));
}

BOOST_AUTO_TEST_CASE(a_dropped_wish_opens_the_gate_again) {
  SoloGate gate;
  gate.claimed(1);
  std::optional<SoloGate::Wish> wish{std::in_place, gate};
  BOOST_TEST(!wish->granted());
  wish.reset();
  BOOST_TEST(open(gate));
}

BOOST_AUTO_TEST_SUITE_END()
