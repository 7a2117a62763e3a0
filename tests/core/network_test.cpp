// Networks of addresses: reading them, and what is inside.
#include "core/network.hpp"

#include <arpa/inet.h>

#include <boost/test/unit_test.hpp>

namespace network_test {

using outbox::core::parse_network;

bool contains(const std::string& network, const std::string& address) {
  const bool v6 = address.find(':') != std::string::npos;
  std::array<std::uint8_t, 16> bytes{};
  BOOST_REQUIRE(inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) == 1);
  return parse_network(network).network.value().contains(
      std::span{bytes}.first(v6 ? std::size_t{16} : std::size_t{4}));
}

}  // namespace network_test

BOOST_AUTO_TEST_SUITE(network_test)

BOOST_AUTO_TEST_CASE(addresses_are_inside_up_to_the_last_bit_of_the_prefix) {
  BOOST_TEST(contains("10.0.0.0/8", "10.255.255.255"));
  BOOST_TEST(!contains("10.0.0.0/8", "11.0.0.0"));
  BOOST_TEST(contains("172.16.0.0/12", "172.31.255.255"));
  BOOST_TEST(!contains("172.16.0.0/12", "172.32.0.0"));
  BOOST_TEST(contains("192.0.2.7/32", "192.0.2.7"));
  BOOST_TEST(!contains("192.0.2.7/32", "192.0.2.6"));
  BOOST_TEST(contains("0.0.0.0/0", "203.0.113.9"));
  BOOST_TEST(!contains("0.0.0.0/0", "::1"));
  BOOST_TEST(contains("fd00::/8", "fdff::1"));
  BOOST_TEST(!contains("fd00::/8", "fc00::1"));
  BOOST_TEST(contains("2001:db8::/33", "2001:db8:7fff::1"));
  BOOST_TEST(!contains("2001:db8::/33", "2001:db8:8000::1"));
  BOOST_TEST(contains("::1/128", "::1"));
  BOOST_TEST(contains("::/0", "fe80::1"));
  BOOST_TEST(!contains("::/0", "10.0.0.1"));
}

BOOST_AUTO_TEST_CASE(what_is_no_network_is_refused_with_advice) {
  struct Case {
    std::string text;
    std::string problem;
    std::string hint;
  };
  const std::string form = "10.0.0.0/8";
  const std::vector<Case> cases{
      {"", "has no prefix length", form},
      {"10.0.0.1", "has no prefix length", "/32"},
      {"10.0.0.0/", "has a prefix length that is not 0 to 32", form},
      {"10.0.0.0/33", "has a prefix length that is not 0 to 32", form},
      {"10.0.0.0/-1", "has a prefix length that is not 0 to 32", form},
      {"10.0.0.0/08", "has a prefix length that is not 0 to 32", form},
      {"10.0.0.0/8 ", "has a prefix length that is not 0 to 32", form},
      {"10.0.0.0/255.0.0.0", "has a prefix length that is not 0 to 32", form},
      {"::/129", "has a prefix length that is not 0 to 128", form},
      {"10/8", "is no network of IP addresses", form},
      {"010.0.0.0/8", "is no network of IP addresses", form},
      {"localhost/8", "is no network of IP addresses", form},
      {"[::1]/128", "is no network of IP addresses", form},
      {"10.0.0.1/8", "has bits behind its prefix", "write 10.0.0.0/8"},
      {"fd00::1/8", "has bits behind its prefix", "write fd00::/8"},
      {"::ffff:10.0.0.0/104", "is IPv4 inside IPv6", "write the IPv4 network"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.text) {
      const auto parsed = parse_network(c.text);
      BOOST_TEST(!parsed.network.has_value());
      BOOST_TEST(parsed.problem == c.problem);
      BOOST_TEST(parsed.hint.find(c.hint) != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
