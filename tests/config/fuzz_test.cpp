// Damaged files: whatever the bytes, loading neither crashes nor throws, and errors have a place
// inside the file.
#include <algorithm>
#include <fstream>
#include <random>

#include <boost/test/unit_test.hpp>

#include "config/format.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

namespace fuzz_test {

using namespace outbox::config;

std::string example() {
  std::ifstream in{OUTBOX_SOURCE_DIR "/config/outboxd.example.yaml", std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

// One to four edits: another byte, a byte more, a piece less, a piece twice. Half of them use
// YAML's own characters.
void damage(std::string& text, std::mt19937& random) {
  static const std::string kSharp = ":-#{}[]&*!|>'\"%@`,?~ \t\n\\\xff<=.0" + std::string(1, '\0');
  for (auto edits = 1 + random() % 4; edits > 0; --edits) {
    const std::size_t at = random() % text.size();
    const char byte =
        random() % 2 == 0 ? kSharp[random() % kSharp.size()] : static_cast<char>(random() % 256);
    const std::size_t length = random() % 40;
    switch (random() % 4) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      case 2:
        text.erase(at, std::min(length, text.size() - 1));
        break;
      default:
        text.insert(random() % text.size(), text.substr(at, length));
        break;
    }
  }
}

}  // namespace fuzz_test

BOOST_AUTO_TEST_SUITE(fuzz_test)

BOOST_AUTO_TEST_CASE(a_damaged_example_is_loaded_or_refused_in_good_order) {
  std::mt19937 random{4711};
  const Environment none = [](const std::string&) { return std::nullopt; };
  const std::string original = example();
  BOOST_REQUIRE(original.size() > 1'000U);
  int refused = 0;
  int accepted = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::string text = original;
    damage(text, random);
    const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
    const Loaded loaded = load_text(text, "c.yaml", none);
    if (loaded.errors.empty()) {
      ++accepted;
      const Loaded again = load_text(print(loaded.options), "c.yaml", none);
      BOOST_REQUIRE(format_errors(again.errors) == "");
      BOOST_REQUIRE(print(again.options) == print(loaded.options));
      continue;
    }
    ++refused;
    for (const ConfigError& error : loaded.errors) {
      BOOST_REQUIRE(!error.message.empty());
      BOOST_REQUIRE((error.line >= 1 && error.line <= lines && error.column >= 1));
    }
  }
  BOOST_TEST(refused > 200);
  BOOST_TEST(accepted > 200);
}

BOOST_AUTO_TEST_CASE(hostile_shapes_are_refused) {
  const std::vector<std::string> pieces{
      "[",   "{",    "- ", "? ",    "{a: ", "a: ", "&a ", "*a ", "! ", "\"", "'",   "\n ",
      "|\n", "%a\n", ", ", "---\n", "[{",   "a:,", ": ",  "\t",  "# ", "\\", "...", "a: &x [*x"};
  for (const std::string& piece : pieces) {
    for (const std::string start : {"", "database: ", "kinds: {", "log:\n  level: \""}) {
      std::string text = start;
      while (text.size() < 50'000) text += piece;
      BOOST_TEST_CONTEXT(start << piece) {
        const Loaded loaded =
            load_text(text, "c.yaml", [](const std::string&) { return std::nullopt; });
        BOOST_TEST(!loaded.errors.empty());
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
