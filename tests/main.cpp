// The one main() of unit_tests and pg_tests.
#define BOOST_TEST_MODULE outboxd
#include <boost/test/unit_test.hpp>
