// One handler for each kind, or one message that names every problem.
#include "handlers/table.hpp"

#include <boost/test/unit_test.hpp>

#include "core/error.hpp"

namespace table_test {

using namespace outbox;
using namespace std::chrono_literals;

core::KindOptions configured_sql(const std::string& role = {}) {
  core::KindOptions kind;
  kind.sql = core::SqlHandler{"SELECT app.f($1)", "", role};
  kind.timeout = 7s;
  return kind;
}

engine::HandlerTable make(const core::Options& options,
                          const std::map<std::string, store::SqlBody>& bodies,
                          const Registry& registry) {
  static observe::Events events;
  return handlers::make_table(options, bodies, registry, {"msg_0123456789abcdef_", events});
}

core::Error problem(const core::Options& options,
                    const std::map<std::string, store::SqlBody>& bodies, const Registry& registry) {
  try {
    (void)make(options, bodies, registry);
  } catch (const core::Error& e) {
    return e;
  }
  return {core::ExitCode::ok, "nothing was thrown"};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace table_test

BOOST_AUTO_TEST_SUITE(table_test)

BOOST_AUTO_TEST_CASE(both_sides_meet_in_one_table) {
  core::Options options;
  options.kinds["mail"] = configured_sql("mailer");
  options.kinds["bill"].timeout = 9s;  // settings of a C++ kind
  Registry registry;
  registry.add("bill", [](Context&) {}).add("ping", [](Context&) {});
  const auto table = make(options, {{"mail", {"SELECT app.f($1)", "mailer"}}}, registry);
  BOOST_REQUIRE_EQUAL(table.size(), 3U);
  const auto& mail = table.at("mail");
  BOOST_TEST(mail.is_sql());
  BOOST_TEST(std::get<store::SqlBody>(mail.run).statement == "SELECT app.f($1)");
  BOOST_TEST(std::get<store::SqlBody>(mail.run).role == "mailer");
  BOOST_TEST((mail.options.timeout == 7s));
  BOOST_TEST(!table.at("bill").is_sql());
  BOOST_TEST((table.at("bill").options.timeout == 9s));
  BOOST_TEST((table.at("ping").options.timeout == core::KindOptions{}.timeout));
}

BOOST_AUTO_TEST_CASE(what_is_executed_is_the_checked_statement_not_the_configured_text) {
  core::Options options;
  options.kinds["mail"].sql = core::SqlHandler{"", "app.send", ""};
  const auto table = make(options, {{"mail", {"SELECT app.send($1, $2)"}}}, {});
  BOOST_TEST(std::get<store::SqlBody>(table.at("mail").run).statement == "SELECT app.send($1, $2)");
}

BOOST_AUTO_TEST_CASE(every_problem_stands_in_one_message) {
  core::Options options;
  options.kinds["twice"] = configured_sql();
  options.kinds["nobody"] = {};
  options.kinds["nobody_either"] = {};
  options.kinds["fine"] = configured_sql();
  Registry registry;
  registry.add("twice", [](Context&) {});
  const auto error = problem(options, {{"twice", {"SELECT 1"}}, {"fine", {"SELECT 1"}}}, registry);
  BOOST_TEST((error.code() == core::ExitCode::configuration));
  const std::string text = error.what();
  BOOST_TEST(has(text, "kind twice: it has an sql handler in the configuration and a C++ handler"));
  BOOST_TEST(has(text, "kind nobody: it has no http, exec, sql or function"));
  BOOST_TEST(has(text, "kind nobody_either: it has no http, exec, sql or function"));
  BOOST_TEST(!has(text, "kind fine"));
}

BOOST_AUTO_TEST_CASE(kinds_that_wait_outside_get_their_handlers) {
  core::Options options;
  options.kinds["hook"].http.emplace().url = "http://127.0.0.1:1/";
  options.kinds["run"].exec.emplace().argv = {"/bin/true"};
  const auto table = make(options, {}, {});
  BOOST_TEST((table.at("hook").async() != nullptr));
  BOOST_TEST((table.at("run").async() != nullptr));
  BOOST_TEST(table.at("run").is_external());
}

BOOST_AUTO_TEST_CASE(a_program_that_cannot_be_run_is_told_with_its_kind) {
  core::Options options;
  options.kinds["run"].exec.emplace().argv = {"/no/such/program"};
  options.kinds["hook"].http.emplace().url = "http://127.0.0.1:1/";
  Registry registry;
  registry.add("hook", [](Context&) {});
  const auto error = problem(options, {}, registry);
  BOOST_TEST((error.code() == core::ExitCode::configuration));
  BOOST_TEST(has(error.what(), "kind run: "), error.what());
  BOOST_TEST(has(error.what(), "/no/such/program"), error.what());
  BOOST_TEST(has(error.what(), "kind hook: it has an http handler in the configuration and a C++"));
}

BOOST_AUTO_TEST_CASE(a_program_without_any_kind_is_told_how_to_add_one) {
  const auto error = problem({}, {}, {});
  BOOST_TEST((error.code() == core::ExitCode::configuration));
  BOOST_TEST(error.what() == "there is no kind to run");
  BOOST_TEST(has(error.hint(), "kinds:"));
}

BOOST_AUTO_TEST_SUITE_END()
