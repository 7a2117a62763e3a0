// For tests of bad input: a table row, and the check that it gives exactly one error, at exactly
// that place.
#pragma once

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "config/format.hpp"
#include "config/load.hpp"

namespace outbox::config {

/// Begins most texts, so that the text under test stands in line 2 and later and is the only thing
/// that is wrong.
inline const std::string kDatabase = "database: {url: 'dbname=a'}\n";

struct BadCase {
  std::string text;
  int line;
  int column;
  std::string message;  ///< A part of it.
  std::string hint;     ///< A part of it.
};

inline void expect_refused(const std::vector<BadCase>& cases) {
  for (const BadCase& c : cases) {
    const Loaded loaded =
        load_text(c.text, "c.yaml", [](const std::string&) { return std::nullopt; });
    BOOST_TEST_CONTEXT(c.text << "\ngave\n" << format_errors(loaded.errors)) {
      BOOST_TEST(loaded.errors.size() == 1U);
      if (loaded.errors.empty()) continue;
      const ConfigError& error = loaded.errors.front();
      BOOST_TEST(error.line == c.line);
      BOOST_TEST(error.column == c.column);
      BOOST_TEST(error.message.find(c.message) != std::string::npos);
      BOOST_TEST(error.hint.find(c.hint) != std::string::npos);
    }
  }
}

}  // namespace outbox::config
