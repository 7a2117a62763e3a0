// The ladder from SQLSTATEs and libpqxx exceptions to faults.
#include "pg/fault.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

namespace fault_test {

using namespace outbox;
using core::DbError;
using core::Fault;

template <class Thrown>
DbError classified(const Thrown& thrown) {
  try {
    try {
      throw thrown;
    } catch (...) {
      pg::rethrow_classified();
    }
  } catch (const DbError& e) {
    return e;
  }
}

}  // namespace fault_test

BOOST_AUTO_TEST_SUITE(fault_test)

BOOST_AUTO_TEST_CASE(every_sqlstate_has_one_meaning) {
  const std::vector<std::pair<std::string, Fault>> table{
      {"08006", Fault::outage},   {"25006", Fault::outage},   {"57P01", Fault::outage},
      {"57P03", Fault::outage},   {"25P03", Fault::outage},   {"53100", Fault::outage},
      {"53300", Fault::outage},   {"58030", Fault::outage},   {"26000", Fault::outage},
      {"40001", Fault::conflict}, {"40P01", Fault::conflict}, {"55P03", Fault::busy},
      {"57014", Fault::canceled}, {"23505", Fault::rejected}, {"42601", Fault::rejected},
      {"25P02", Fault::rejected}, {"", Fault::rejected},      {"5", Fault::rejected},
  };
  for (const auto& [state, fault] : table) {
    BOOST_TEST_CONTEXT("sqlstate '" << state << "'") {
      BOOST_TEST((pg::classify(state, "some text") == fault));
    }
  }
}

BOOST_AUTO_TEST_CASE(where_one_sqlstate_means_two_things_the_text_decides) {
  BOOST_TEST((pg::classify("0A000", "cached plan must not change result type") == Fault::outage));
  BOOST_TEST((pg::classify("0A000", "not implemented") == Fault::rejected));
  BOOST_TEST((pg::classify("54000",
                           "database is not accepting commands to avoid wraparound data "
                           "loss in database \"x\"") == Fault::outage));
  BOOST_TEST(
      (pg::classify("54000", "index row size 4000 exceeds btree maximum 2704") == Fault::rejected));
}

BOOST_AUTO_TEST_CASE(exceptions_of_libpqxx_become_faults_with_their_sqlstate) {
  BOOST_TEST((classified(pqxx::broken_connection{"gone"}).fault() == Fault::outage));
  BOOST_TEST((classified(pqxx::in_doubt_error{"gone"}).fault() == Fault::in_doubt));
  const auto deadlock = classified(pqxx::deadlock_detected{"deadlock"});
  BOOST_TEST((deadlock.fault() == Fault::conflict));
  BOOST_TEST(deadlock.sqlstate() == "40P01");
  const auto serialization = classified(pqxx::serialization_failure{"again"});
  BOOST_TEST((serialization.fault() == Fault::conflict));
  BOOST_TEST(serialization.sqlstate() == "40001");
  const auto unique = classified(pqxx::unique_violation{"twice", "INSERT", "23505"});
  BOOST_TEST((unique.fault() == Fault::rejected));
  BOOST_TEST(unique.sqlstate() == "23505");
  BOOST_TEST(unique.what() == "twice");
  BOOST_TEST((classified(pqxx::usage_error{"misuse"}).fault() == Fault::bug));
}

BOOST_AUTO_TEST_CASE(a_refused_privilege_keeps_the_sqlstate_that_libpqxx_6_drops) {
  BOOST_TEST(classified(pqxx::insufficient_privilege{"no", "SELECT"}).sqlstate() == "42501");
}

BOOST_AUTO_TEST_CASE(what_libpqxx_did_not_throw_passes_unchanged) {
  const auto pass = [] {
    try {
      throw std::out_of_range{"mine"};
    } catch (...) {
      pg::rethrow_classified();
    }
  };
  BOOST_CHECK_THROW(pass(), std::out_of_range);
}

BOOST_AUTO_TEST_SUITE_END()
