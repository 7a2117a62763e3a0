// How the doctor's findings look, and the exit code that they give.
#include "cli/doctor.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace doctor_test {

using namespace outbox;
using store::doctor::Finding;
using store::doctor::Status;

const Finding kFine{"server", Status::ok, "PostgreSQL 15", {}, {}};
const Finding kUnseen{"plans", Status::skipped, "not allowed", {}, "ask another"};
const Finding kOdd{"triggers", Status::warning, "trigger t is disabled", "it is late",
                   "ALTER TABLE a\n  ENABLE TRIGGER t;"};
const Finding kBad{"indexes", Status::problem, "index \x1B[2Ji is invalid", "unused", "REINDEX;"};

}  // namespace doctor_test

BOOST_AUTO_TEST_SUITE(doctor_test)

BOOST_AUTO_TEST_CASE(problems_and_strictly_warnings_give_an_exit_code) {
  using namespace doctor_test;
  using cli::doctor_exit;
  using core::ExitCode;
  BOOST_TEST((doctor_exit({kFine, kUnseen}, true) == ExitCode::ok));
  BOOST_TEST((doctor_exit({kFine, kOdd}, false) == ExitCode::ok));
  BOOST_TEST((doctor_exit({kFine, kOdd}, true) == ExitCode::drift));
  BOOST_TEST((doctor_exit({kBad, kFine}, false) == ExitCode::drift));
}

BOOST_AUTO_TEST_CASE(people_get_a_line_when_all_is_well_and_a_block_with_a_fix_to_copy_when_not) {
  using namespace doctor_test;
  BOOST_TEST(cli::doctor_text({kFine, kOdd, kBad}) ==
             "ok      server       PostgreSQL 15\n"
             "warning triggers     trigger t is disabled\n"
             "  why: it is late\n"
             "  fix:\n"
             "ALTER TABLE a\n"
             "  ENABLE TRIGGER t;\n\n"
             "problem indexes      index  [2Ji is invalid\n"
             "  why: unused\n"
             "  fix:\n"
             "REINDEX;\n\n"
             "1 ok, 1 warnings, 1 problems, 0 skipped\n");
}

BOOST_AUTO_TEST_CASE(programs_get_one_document) {
  using namespace doctor_test;
  const auto json = nlohmann::json::parse(cli::doctor_json({kFine, kUnseen, kOdd}, false));
  BOOST_TEST(json.at("healthy").get<bool>());
  BOOST_TEST(json.at("ok") == 1);
  BOOST_TEST(json.at("warnings") == 1);
  BOOST_TEST(json.at("problems") == 0);
  BOOST_TEST(json.at("skipped") == 1);
  BOOST_TEST(json.at("findings").size() == 3U);
  BOOST_TEST(json.at("findings")[0].at("status") == "ok");
  BOOST_TEST(json.at("findings")[0].at("fix").is_null());
  BOOST_TEST(json.at("findings")[2].at("fix") == kOdd.fix);
  BOOST_TEST(!nlohmann::json::parse(cli::doctor_json({kOdd}, true)).at("healthy").get<bool>());
}

BOOST_AUTO_TEST_SUITE_END()
