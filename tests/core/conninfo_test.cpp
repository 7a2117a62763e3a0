// The parts of a connection string, and a password added to one.
#include "core/conninfo.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

namespace conninfo_test {

using outbox::core::parse_conninfo;
using outbox::core::with_password;

// "key=value;" for each part, the value as written.
std::string parts_of(const std::string& text) {
  const auto parts = parse_conninfo(text);
  if (!parts) return "unreadable";
  std::string out;
  for (const auto& part : *parts) {
    out += part.key + "=" + text.substr(part.begin, part.end - part.begin) + ";";
  }
  return out;
}

}  // namespace conninfo_test

BOOST_AUTO_TEST_SUITE(conninfo_test)

BOOST_AUTO_TEST_CASE(settings_are_found_where_libpq_finds_them) {
  BOOST_TEST(parts_of("") == "");
  BOOST_TEST(parts_of(" host = h\tport='1 2' x= ") == "host=h;port='1 2';x=;");
  BOOST_TEST(parts_of("a='it\\'s' b=c\\ d") == "a='it\\'s';b=c\\ d;");
  BOOST_TEST(parts_of("postgresql://h/db?a=b&c=") == "a=b;c=;");
  BOOST_TEST(parts_of("postgresql://u:p@h/db?a=b") == "password=p;a=b;");
  for (const std::string text : {"app", "a=b c", "a='b", "=b", "postgresql://h/db?a&b=c"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(parts_of(text) == "unreadable"); }
  }
}

BOOST_AUTO_TEST_CASE(an_added_password_is_found_again) {
  for (const std::string text : {"", "host=h", "postgresql://", "postgresql://u@h/db",
                                 "postgres:///db?a=b", "postgres:///db?", "postgres:///db?a=b&"}) {
    for (const std::string password : {"x", "a b", "it's", "back\\slash", "?&=%/@:#"}) {
      BOOST_TEST_CONTEXT(text << " with " << password) {
        const auto before = parse_conninfo(text);
        const auto after = parse_conninfo(with_password(text, password));
        BOOST_REQUIRE(after.has_value());
        BOOST_TEST(after->size() == before->size() + 1);
        BOOST_TEST(after->back().key == "password");
      }
    }
  }
  BOOST_TEST(with_password("postgres:///db?a=b", "p w") == "postgres:///db?a=b&password=p%20w");
  BOOST_TEST(with_password("postgres:///db?", "p") == "postgres:///db?password=p");
  BOOST_TEST(with_password("host=h", "it's \\") == "host=h password='it\\'s \\\\'");
}

BOOST_AUTO_TEST_SUITE_END()
