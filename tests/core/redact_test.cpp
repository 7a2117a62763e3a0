// No password survives, and nothing else is changed.
#include "core/redact.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

namespace redact_test {

using outbox::core::redact_url;

}  // namespace redact_test

BOOST_AUTO_TEST_SUITE(redact_test)

BOOST_AUTO_TEST_CASE(passwords_are_hidden_and_the_rest_stays) {
  struct Case {
    const char* given;
    const char* shown;
  };
  const std::vector<Case> cases{
      {"postgresql://u:pw@h:5432/db?sslmode=require",
       "postgresql://u:[secret]@h:5432/db?sslmode=require"},
      {"postgres://u:pw@h", "postgres://u:[secret]@h"},
      {"postgresql://:pw@h", "postgresql://:[secret]@h"},
      {"postgresql://u:p%40w@h", "postgresql://u:[secret]@h"},
      {"postgresql://u:p@w@h/db", "postgresql://u:[secret]@h/db"},
      {"postgresql://u:p/w@h/db", "postgresql://u:[secret]@h/db"},
      {"postgresql://u:p?w@h/db?a=b", "postgresql://u:[secret]@h/db?a=b"},
      {"postgresql://u:p:w@h1:1,h2:2/db", "postgresql://u:[secret]@h1:1,h2:2/db"},
      {"postgresql:///db?password=pw", "postgresql:///db?password=[secret]"},
      {"postgresql:///db?a=b&sslpassword=pw&c=d", "postgresql:///db?a=b&sslpassword=[secret]&c=d"},
      {"postgresql:///db?p%61ssword=pw", "postgresql:///db?p%61ssword=[secret]"},
      {"postgresql://h?Password=pw", "postgresql://h?Password=[secret]"},
      {"postgresql://u:a@h?password=b@c", "postgresql://u:[secret]@h?password=[secret]"},
      {"postgresql:///db?pw", "[secret]"},
      {"host=h password=pw user=u", "host=h password=[secret] user=u"},
      {"password = 'p w\\' x' host=h", "password = [secret] host=h"},
      {"password=p\\ w host=h", "password=[secret] host=h"},
      {"password=a sslpassword='b'", "password=[secret] sslpassword=[secret]"},
      {"password='pw", "[secret]"},
      {"pw", "[secret]"},
      {"host=h pw", "[secret]"},
      {"=pw", "[secret]"}};
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.given) { BOOST_TEST(redact_url(c.given) == c.shown); }
  }
}

BOOST_AUTO_TEST_CASE(a_connection_string_without_secret_stays_byte_for_byte) {
  for (const std::string text :
       {"", "postgresql:///app", "postgresql://u@[::1]:5432/db?application_name=a%20b",
        "postgresql://h1:1,h2:2/db?target_session_attrs=read-write", "host=/tmp  dbname='a b'",
        "passfile=/x sslkey=/y", "postgresql://h/db?"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(redact_url(text) == text); }
  }
}

BOOST_AUTO_TEST_SUITE_END()
