// One job as JSON: numbers keep their digits, and no text can move the payload.
#include "cli/job_text.hpp"

#include <boost/test/unit_test.hpp>

namespace job_text_test {

using namespace outbox;

store::JobDetail detail() {
  store::JobDetail out;
  out.job.id = 9'007'199'254'740'993;
  out.job.state = "dead";
  out.job.queue = R"("payload": null)";
  out.job.kind = R"("headers": null)";
  out.job.last_error = "attempts: no \x1B[31m luck";
  out.payload = R"({"n": 123456789012345678901234567890.10, "headers": null, "payload": null})";
  out.headers = R"({"payload": null})";
  out.dead_reason = "attempts";
  out.detail = R"({"status": 200, "payload": null})";
  out.failures.push_back({{}, 1, 20, "error", "23505", "duplicate\nkey"});
  out.failures.push_back(
      {{}, 1, 21, "error", "", "503", R"({"status": 503, "stderr": "so\nnot", "headers": null})"});
  return out;
}

}  // namespace job_text_test

BOOST_AUTO_TEST_SUITE(job_text_test)

BOOST_AUTO_TEST_CASE(payload_and_headers_stand_in_the_document_as_they_are) {
  const std::string text = cli::detail_json(detail());
  const auto json = nlohmann::json::parse(text);
  BOOST_TEST(text.find("\"payload\": " + detail().payload) != std::string::npos);
  BOOST_TEST(json.at("headers").at("payload").is_null());
  BOOST_TEST(json.at("payload").at("headers").is_null());
  BOOST_TEST(json.at("queue") == detail().job.queue);
  BOOST_TEST(json.at("id") == "9007199254740993");
  BOOST_TEST(json.at("failures").at(0).at("error") == "duplicate\nkey");
  BOOST_TEST(json.at("failures").at(0).at("detail").is_null());
  BOOST_TEST(json.at("failures").at(1).at("detail").at("status") == 503);
  BOOST_TEST(json.at("failures").at(1).at("detail").at("headers").is_null());
  BOOST_TEST(json.at("detail").at("status") == 200);
}

BOOST_AUTO_TEST_CASE(text_for_people_has_no_control_characters_and_every_part) {
  const std::string text = cli::detail_text(detail());
  for (const char* part :
       {"9007199254740993", "dead", "attempts: no  [31m luck", "123456789012345678901234567890.10",
        "23505", "duplicate key", "what its handler got back:\n  status          200\n",
        "attempt 21, ", "  status          503\n", "    | not\n"}) {
    BOOST_TEST(text.find(part) != std::string::npos, part);
  }
  BOOST_TEST(text.find('\x1B') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_list_says_how_to_go_on) {
  store::JobPage page;
  BOOST_TEST(cli::list_text(page) == "no jobs\n");
  page.next = 41;
  BOOST_TEST(cli::list_text(page).find("more: --after 41\n") != std::string::npos);
  BOOST_TEST(nlohmann::json::parse(cli::list_json(page)).at("next") == "41");
}

BOOST_AUTO_TEST_SUITE_END()
