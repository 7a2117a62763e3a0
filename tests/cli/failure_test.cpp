// Errors for people: exit codes, hints, and what a server's text is cut down to.
#include "cli/failure.hpp"

#include <boost/test/unit_test.hpp>

namespace failure_test {

using namespace outbox;
using cli::describe;
using core::DbError;
using core::ExitCode;
using core::Fault;

}  // namespace failure_test

BOOST_AUTO_TEST_SUITE(failure_test)

BOOST_AUTO_TEST_CASE(each_fault_has_its_exit_code_and_says_whether_to_retry) {
  struct Case {
    Fault fault;
    const char* sqlstate;
    ExitCode code;
    const char* hint;
  };
  for (const auto& c :
       {Case{Fault::outage, "08006", ExitCode::unavailable, "retrying helps"},
        Case{Fault::in_doubt, "", ExitCode::unavailable, "look before you run it again"},
        Case{Fault::conflict, "40001", ExitCode::failed, "retrying helps"},
        Case{Fault::busy, "55P03", ExitCode::busy, "retry later"},
        Case{Fault::canceled, "57014", ExitCode::busy, "retry later"},
        Case{Fault::rejected, "42P01", ExitCode::pending, "migrate up"},
        Case{Fault::rejected, "3F000", ExitCode::pending, "migrate up"},
        Case{Fault::rejected, "42501", ExitCode::failed, "grant"},
        Case{Fault::rejected, "23514", ExitCode::usage, "does not help"},
        Case{Fault::rejected, "22007", ExitCode::usage, "does not help"},
        Case{Fault::rejected, "42601", ExitCode::failed, "does not help"},
        Case{Fault::bug, "", ExitCode::internal, "report"}}) {
    const auto failure = describe(DbError{c.fault, c.sqlstate, "ERROR:  what happened\n"});
    BOOST_TEST(core::to_int(failure.code) == core::to_int(c.code), c.sqlstate);
    BOOST_TEST(failure.hint.find(c.hint) != std::string::npos, failure.hint);
    BOOST_TEST(failure.message.find("what happened") != std::string::npos);
    BOOST_TEST(failure.message.find("ERROR:") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_servers_hint_is_kept_and_its_context_is_not) {
  const auto failure = describe(DbError{Fault::rejected, "23514",
                                        "ERROR:  outbox: priority is 9\nDETAIL:  really\nHINT:  "
                                        "Leave it out.\nCONTEXT:  PL/pgSQL function x\nline 3\n"});
  BOOST_TEST(failure.message == "outbox: priority is 9; really");
  BOOST_TEST(failure.hint == "Leave it out.");
}

BOOST_AUTO_TEST_CASE(a_text_that_is_not_a_servers_stays_whole_in_one_line) {
  const auto failure =
      describe(DbError{Fault::outage, "08006",
                       "connection to server failed: No such file\n\tIs the server running?\n"});
  BOOST_TEST(failure.message.find("No such file;  Is the server running?") != std::string::npos,
             failure.message);
}

BOOST_AUTO_TEST_CASE(control_characters_do_not_reach_the_terminal) {
  BOOST_TEST(cli::safe_lines("a\x1B[2J\r\nb\n\n") == "a [2J \nb");
  const auto failure = describe(DbError{Fault::rejected, "P0001", "ERROR:  \x1B[31mred\n"});
  BOOST_TEST(failure.message.find('\x1B') == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
