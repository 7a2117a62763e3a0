// Sizes as text: what is accepted, what is refused and with which advice.
#include "core/size.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

namespace size_test {

using outbox::core::format_size;
using outbox::core::parse_size;

}  // namespace size_test

BOOST_AUTO_TEST_SUITE(size_test)

BOOST_AUTO_TEST_CASE(a_number_with_its_unit_is_read) {
  const std::vector<std::pair<const char*, std::int64_t>> cases{
      {"0", 0},
      {"0KiB", 0},
      {"1B", 1},
      {"8KiB", 8'192},
      {"1MiB", 1'048'576},
      {"2GiB", 2'147'483'648},
      {"1024GiB", 1'099'511'627'776},
      {"1099511627776B", 1'099'511'627'776}};
  for (const auto& [text, bytes] : cases) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(parse_size(text).value.value() == bytes); }
  }
}

BOOST_AUTO_TEST_CASE(anything_else_is_refused_with_advice) {
  struct Case {
    const char* text;
    const char* problem;
    const char* hint;
  };
  const char* const units = "units are B, KiB, MiB and GiB, as in 8KiB or 2GiB";
  const std::vector<Case> cases{
      {"8", "has no unit", units},
      {"00", "has a leading zero", "write it without the leading zero"},
      {"010KiB", "has a leading zero", "write it without the leading zero"},
      {"", "is not a size in bytes", units},
      {"-1KiB", "is not a size in bytes", units},
      {"+1KiB", "is not a size in bytes", units},
      {" 1KiB", "is not a size in bytes", units},
      {"KiB", "is not a size in bytes", units},
      {"1 KiB", "has an unknown unit", "write 1KiB"},
      {"1KiB ", "has an unknown unit", "write 1KiB"},
      {"8kb", "has an unknown unit", "write 8KiB"},
      {"8KB", "has an unknown unit", "write 8KiB"},
      {"8M", "has an unknown unit", "write 8MiB"},
      {"2gigabytes", "has an unknown unit", "write 2GiB"},
      {"100bytes", "has an unknown unit", "write 100B"},
      {"1TiB", "has an unknown unit", units},
      {"1MiB512KiB", "has an unknown unit", units},
      {"1.5MiB", "is not a whole number", "use a smaller unit: 1536KiB for 1.5MiB"},
      {"1025GiB", "is too large", "at most 1024GiB"},
      {"99999999999999999999B", "is too large", "at most 1024GiB"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT("'" << c.text << "'") {
      const auto parsed = parse_size(c.text);
      BOOST_TEST(!parsed.value.has_value());
      BOOST_TEST(parsed.problem == c.problem);
      BOOST_TEST(parsed.hint == c.hint);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
  BOOST_TEST(format_size(0) == "0");
  BOOST_TEST(format_size(1'536 * 1'024) == "1536KiB");
  BOOST_TEST(format_size(1'073'741'824) == "1GiB");
  for (const std::int64_t bytes : {1LL, 1'023LL, 1'024LL, 1'025LL, 65'536LL, 1'099'511'627'776LL}) {
    BOOST_TEST(parse_size(format_size(bytes)).value.value() == bytes);
  }
}

BOOST_AUTO_TEST_SUITE_END()
