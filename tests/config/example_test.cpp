// The example file is the reference: it loads, names every key with its range, and shows the
// defaults.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include "config/format.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/print.hpp"
#include "config/yaml.hpp"

namespace example_test {

using namespace outbox::config;
namespace core = outbox::core;

const std::string kFile = OUTBOX_SOURCE_DIR "/config/outboxd.example.yaml";

std::vector<std::string> lines_of_example() {
  std::ifstream in{kFile};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Each setting in the file with its line, named as in known_keys().
void collect(const Node& map, const std::string& path,
             std::vector<std::pair<std::string, int>>& out) {
  for (const Entry& entry : map.entries) {
    const bool named = path == "queues." || path == "kinds.";
    const std::string name = path + (named ? "*" : entry.key.text);
    if (entry.value.type == NodeType::map && !entry.value.entries.empty()) {
      collect(entry.value, name + ".", out);
    } else {
      out.emplace_back(name, entry.key.at.line);
    }
  }
}

std::vector<std::pair<std::string, int>> settings_in_example() {
  std::string text;
  for (const std::string& line : lines_of_example()) text += line + "\n";
  Errors errors{kFile, text};
  std::vector<std::pair<std::string, int>> out;
  collect(parse_yaml(text, errors).value(), "", out);
  return out;
}

// The comment right above a line, joined.
std::string comment_above(const std::vector<std::string>& lines, int line) {
  std::string out;
  for (auto i = static_cast<std::size_t>(line - 1); i > 0; --i) {
    const std::size_t begin = lines[i - 1].find_first_not_of(' ');
    if (begin == std::string::npos || lines[i - 1][begin] != '#') break;
    out = lines[i - 1].substr(begin + 1) + out;
  }
  return out;
}

}  // namespace example_test

BOOST_AUTO_TEST_SUITE(example_test)

BOOST_AUTO_TEST_CASE(its_values_are_the_defaults) {
  const Loaded loaded = load_file(kFile, [](const std::string&) { return std::nullopt; });
  BOOST_TEST(format_errors(loaded.errors) == "");
  core::Options expected;
  expected.database.url = loaded.options.database.url;
  expected.queues["default"];
  for (const auto& [name, kind] : loaded.options.kinds) {
    core::KindOptions& other = expected.kinds[name];
    other.sql = kind.sql;
    if (kind.http) other.http.emplace().url = kind.http->url;
    if (kind.exec) other.exec.emplace().argv = kind.exec->argv;
  }
  BOOST_TEST(print(loaded.options) == print(expected));
}

BOOST_AUTO_TEST_CASE(it_names_every_key) {
  const auto settings = settings_in_example();
  const std::vector<std::string> lines = lines_of_example();
  BOOST_TEST(known_keys().size() >= 80U);
  for (const Key& key : known_keys()) {
    const bool active = std::any_of(settings.begin(), settings.end(),
                                    [&](const auto& setting) { return setting.first == key.path; });
    // Only one source of a secret can be active; the others stand there as comments.
    const auto depth = static_cast<std::size_t>(std::count(key.path.begin(), key.path.end(), '.'));
    const std::string comment =
        std::string(2 * depth, ' ') + "# " + key.path.substr(key.path.rfind('.') + 1) + ": ";
    const bool source =
        key.path.find("_env") != std::string::npos || key.path.find("_file") != std::string::npos;
    const bool commented = source && std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
                             return line.compare(0, comment.size(), comment) == 0;
                           });
    BOOST_TEST_CONTEXT(key.path) { BOOST_TEST((active || commented)); }
  }
}

BOOST_AUTO_TEST_CASE(the_comment_above_a_key_tells_its_default_and_range) {
  const std::vector<std::string> lines = lines_of_example();
  int seen = 0;
  for (const auto& [path, line] : settings_in_example()) {
    const auto key = std::find_if(known_keys().begin(), known_keys().end(),
                                  [&path = path](const Key& k) { return k.path == path; });
    BOOST_REQUIRE((key != known_keys().end()));
    const std::string comment = comment_above(lines, line);
    if (key->range.empty() || comment.find("handler in C++") != std::string::npos) continue;
    ++seen;
    const std::string& text = lines[static_cast<std::size_t>(line - 1)];
    BOOST_TEST_CONTEXT(path << " in line " << line) {
      BOOST_TEST(comment.find("; " + key->range) != std::string::npos);
      const std::string value = text.substr(text.find(": ") + 2);
      BOOST_TEST((comment.find("Default " + value) != std::string::npos ||
                  comment.find("No default: ") != std::string::npos));
    }
  }
  BOOST_TEST(seen >= 60);
}

BOOST_AUTO_TEST_SUITE_END()
