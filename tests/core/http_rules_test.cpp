// Headers that somebody else may set: names that are ours, and values that would be more than one.
#include "core/http_rules.hpp"

#include <boost/test/unit_test.hpp>

namespace http_rules_test {

using outbox::core::header_problem;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace http_rules_test

BOOST_AUTO_TEST_SUITE(http_rules_test)

BOOST_AUTO_TEST_CASE(usual_headers_are_fine) {
  for (const std::string name : {"X-Shop", "authorization", "Accept", "x_y.z~", "User-Agent", "a",
                                 "cer", "outbox", "Hostname", "tea", "proxy"}) {
    BOOST_TEST_CONTEXT(name) { BOOST_TEST(header_problem(name, "main: \"1\", (x)") == ""); }
  }
  BOOST_TEST(header_problem(std::string(128, 'n'), std::string(4'096, 'v')) == "");
}

BOOST_AUTO_TEST_CASE(ours_are_refused_in_any_case) {
  for (const std::string name : {"webhook-id",
                                 "Webhook-Timestamp",
                                 "WEBHOOK-SIGNATURE",
                                 "Idempotency-Key",
                                 "ce-id",
                                 "CE-Type",
                                 "outbox-attempt",
                                 "Outbox-X",
                                 "traceparent",
                                 "Tracestate",
                                 "Host",
                                 "content-length",
                                 "Content-Type",
                                 "Content-Encoding",
                                 "Transfer-Encoding",
                                 "connection",
                                 "TE",
                                 "trailer",
                                 "Upgrade",
                                 "Keep-Alive",
                                 "expect",
                                 "Proxy-Authorization",
                                 "proxy-connection"}) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(header_problem(name, "v") == "the header '" + name + "' is set by outboxd itself");
    }
  }
}

BOOST_AUTO_TEST_CASE(names_that_are_no_tokens_are_refused) {
  for (const std::string name : {"", " ", "X Shop", "X:", "Host ", " Host", "X\r\nHost", "X\tY",
                                 "X(Y)", "X\"", "é", "X/Y", "a@b"}) {
    BOOST_TEST_CONTEXT(name) {
      const std::string problem = header_problem(name, "v");
      BOOST_TEST(has(problem, "has a name that is not accepted"));
      BOOST_TEST(!has(problem, "\n"));
    }
  }
  BOOST_TEST(has(header_problem(std::string("a\0b", 3), "v"), "not accepted"));
  BOOST_TEST(has(header_problem(std::string(129, 'n'), "v"), "more than 128 bytes"));
}

BOOST_AUTO_TEST_CASE(values_that_are_no_single_line_are_refused_without_quoting_them) {
  const std::vector<std::string> values{
      "s3cret\r\nHost: x",        "s3cret\n",       "\ts3cret", "s3cret\x7f",
      std::string("s3cret\0", 7), "s3cret\x1b[31m", "s3cret é"};
  for (const std::string& value : values) {
    BOOST_TEST_CONTEXT(value) {
      BOOST_TEST(
          header_problem("X-Shop", value) ==
          "the header 'X-Shop' has a value that has a character that is not printable ASCII");
    }
  }
  BOOST_TEST(has(header_problem("X", ""), "is empty"));
  BOOST_TEST(has(header_problem("X", " v"), "a space at its start or end"));
  BOOST_TEST(has(header_problem("X", "v "), "a space at its start or end"));
  BOOST_TEST(has(header_problem("X", std::string(4'097, 'v')), "4097 bytes"));
}

BOOST_AUTO_TEST_SUITE_END()
