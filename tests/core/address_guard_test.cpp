// Which addresses a URL from a payload may lead to.
#include "core/address_guard.hpp"

#include <boost/test/unit_test.hpp>

using outbox::core::AddressGuard;
using outbox::core::parse_network;

BOOST_AUTO_TEST_SUITE(address_guard_test)

BOOST_AUTO_TEST_CASE(what_is_not_public_is_refused_in_every_spelling) {
  const AddressGuard guard{{}};
  for (const char* address : {"0.0.0.0",
                              "0.1.2.3",
                              "10.1.2.3",
                              "100.64.0.1",
                              "100.100.100.200",
                              "127.0.0.1",
                              "127.255.255.254",
                              "168.63.129.16",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.192",
                              "192.0.2.1",
                              "192.168.1.1",
                              "198.18.0.1",
                              "198.51.100.1",
                              "203.0.113.9",
                              "224.0.0.1",
                              "239.255.255.255",
                              "240.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "::127.0.0.1",
                              "64:ff9b::10.0.0.1",
                              "64:ff9b::a9fe:a9fe",
                              "64:ff9b:1::1",
                              "100::1",
                              "2001::1",
                              "2001:db8::1",
                              "2002:7f00:1::",
                              "2002:a00:1::1",
                              "fc00::1",
                              "fd00:ec2::254",
                              "fe80::1",
                              "fec0::1",
                              "ff02::1",
                              "3fff::1",
                              "4000::1",
                              "5f00::1",
                              "no address",
                              ""}) {
    BOOST_TEST(!guard.refuse(address).empty(), address);
  }
}

BOOST_AUTO_TEST_CASE(what_is_public_may_be_reached) {
  const AddressGuard guard{{}};
  for (const char* address :
       {"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1",
        "100.128.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255", "2606:4700:4700::1111",
        "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    BOOST_TEST(guard.refuse(address) == "", address);
  }
}

BOOST_AUTO_TEST_CASE(an_allowed_network_may_be_reached_and_nothing_beside_it) {
  const AddressGuard guard{
      {*parse_network("10.1.0.0/16").network, *parse_network("fd00::/64").network}};
  BOOST_TEST(guard.refuse("10.1.2.3") == "");
  BOOST_TEST(guard.refuse("::ffff:10.1.2.3") == "");
  BOOST_TEST(guard.refuse("fd00::1") == "");
  BOOST_TEST(!guard.refuse("10.2.0.1").empty());
  BOOST_TEST(!guard.refuse("fd00:0:0:1::1").empty());
  BOOST_TEST(!guard.refuse("127.0.0.1").empty());
}

BOOST_AUTO_TEST_CASE(a_socket_of_another_family_is_refused) {
  const AddressGuard guard{{}};
  sockaddr address{};
  address.sa_family = AF_UNIX;
  BOOST_TEST(!guard.refuse(address).empty());
}

BOOST_AUTO_TEST_SUITE_END()
