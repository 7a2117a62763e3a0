// What is refused at a start, all at once, and what is not.
#include "handlers/exec_check.hpp"

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "support/exec.hpp"

namespace exec_check_test {

using namespace outbox;
using handlers::check_exec;
using test::contains;
using test::Scripts;

core::ExecHandler program(const std::string& path) {
  core::ExecHandler settings;
  settings.argv = {path};
  return settings;
}

/// The only problem; none is "fine".
std::string problem_of(const core::ExecHandler& settings) {
  const auto problems = check_exec(settings);
  BOOST_TEST(problems.size() <= 1U);
  return problems.empty() ? "fine" : problems.front();
}

}  // namespace exec_check_test

BOOST_AUTO_TEST_SUITE(exec_check_test)

BOOST_AUTO_TEST_CASE(programs_of_the_system_and_scripts_of_ours_are_fine) {
  const Scripts scripts;
  BOOST_TEST(problem_of(program("/bin/sh")) == "fine");
  BOOST_TEST(problem_of(program(scripts.add("fine", "true"))) == "fine");
}

BOOST_AUTO_TEST_CASE(what_is_no_program_is_refused) {
  const Scripts scripts;
  BOOST_TEST(contains(problem_of(program("")), "no absolute path"));
  BOOST_TEST(contains(problem_of(program("bin/sh")), R"("bin/sh" is no absolute path)"));
  BOOST_TEST(contains(problem_of(program(scripts.path("none"))), "No such file or directory"));
  BOOST_TEST(contains(problem_of(program(scripts.folder())), "is no regular file"));
  const auto plain = scripts.add("plain", "true");
  ::chmod(plain.c_str(), 0644);
  BOOST_TEST(contains(problem_of(program(plain)), "is not executable; do: chmod +x " + plain));
}

BOOST_AUTO_TEST_CASE(what_others_can_change_is_refused) {
  const Scripts scripts;
  const auto script = scripts.add("script", "true");
  ::chmod(script.c_str(), 0775);
  BOOST_TEST(contains(problem_of(program(script)), "(mode 0775); expected that only its owner"));
  ::chmod(script.c_str(), 0757);
  BOOST_TEST(contains(problem_of(program(script)), "chmod go-w " + script));
  ::chmod(script.c_str(), 0755);
  ::chmod(scripts.folder().c_str(), 0777);
  BOOST_TEST(contains(problem_of(program(script)), scripts.folder() + " may be changed by others"));
  ::chmod(scripts.folder().c_str(), 01777);  // sticky: nobody can replace it there
  BOOST_TEST(problem_of(program(script)) == "fine");
}

BOOST_AUTO_TEST_CASE(a_link_is_judged_by_what_it_leads_to) {
  const Scripts scripts;
  const auto script = scripts.add("script", "true");
  std::filesystem::create_symlink(script, scripts.path("link"));
  BOOST_TEST(problem_of(program(scripts.path("link"))) == "fine");
  ::chmod(script.c_str(), 0777);
  BOOST_TEST(contains(problem_of(program(scripts.path("link"))), script + " may be changed"));
}

BOOST_AUTO_TEST_CASE(what_belongs_to_somebody_else_is_refused,
                     *boost::unit_test::precondition([](auto) { return ::geteuid() == 0; })) {
  const Scripts scripts;
  const auto script = scripts.add("script", "true");
  BOOST_REQUIRE_EQUAL(::chown(script.c_str(), 12'345, 0), 0);
  BOOST_TEST(contains(problem_of(program(script)), "belongs to user 12345"));
}

BOOST_AUTO_TEST_CASE(all_problems_are_told_at_once) {
  const Scripts scripts;
  auto settings = program(scripts.path("none"));
  settings.cwd = scripts.path("nowhere");
  settings.user = "no_such_user_here";
  const auto problems = check_exec(settings);
  BOOST_REQUIRE(problems.size() >= 3U);
  BOOST_TEST(contains(problems[0], scripts.path("none")));
  BOOST_TEST(contains(problems[1], "cwd: " + scripts.path("nowhere")));
  BOOST_TEST(contains(problems[2], "no user \"no_such_user_here\""));
}

BOOST_AUTO_TEST_CASE(users_are_found_with_their_groups) {
  const auto root = handlers::find_user("root");
  BOOST_REQUIRE(root);
  BOOST_TEST(root->uid == 0U);
  BOOST_TEST(!root->groups.empty());
  BOOST_TEST(!handlers::find_user("no_such_user_here"));
}

BOOST_AUTO_TEST_SUITE_END()
