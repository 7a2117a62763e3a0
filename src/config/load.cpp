// The steps of a load: size, characters, YAML, settings; see the header.
#include "config/load.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "config/errors.hpp"
#include "config/reader.hpp"
#include "config/text.hpp"
#include "config/yaml.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kMostBytes = 1024U * 1024U;
constexpr const char* kSmallest =
    "the smallest configuration is\n"
    "database:\n"
    "  url: postgresql:///app\n"
    "kinds:\n"
    "  post_entry:\n"
    "    sql: SELECT ledger.post($1)";

Loaded refuse_file(const std::string& file, std::string message, std::string hint) {
  return Loaded{{}, {ConfigError{file, 0, 0, std::move(message), std::move(hint)}}};
}

Loaded refuse_size(const std::string& file) {
  return refuse_file(file, "the file is larger than 1 MiB, the most that is read",
                     "is it the right file?");
}

std::string folder_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  if (slash == std::string::npos) return {};
  return slash == 0 ? "/" : file.substr(0, slash);
}

Position position_of(const std::string& text, std::size_t byte) {
  Position at;
  for (std::size_t i = 0; i < byte; ++i) {
    ++at.column;
    if (text[i] == '\n') at = Position{at.line + 1, 1};
  }
  return at;
}

// Nothing when the characters are fine.
bool refuse_bad_byte(const std::string& text, Errors& errors) {
  const std::size_t bad = find_bad_byte(text);
  if (bad == std::string::npos) return false;
  const bool nul = text[bad] == '\0';
  errors.add(position_of(text, bad), nul ? "a NUL byte" : "a byte that is not valid UTF-8",
             nul ? "is it a text file?" : "save the file as UTF-8");
  return true;
}

}  // namespace

Loaded load_file(const std::string& path, const Environment& environment) {
  std::ifstream in{path, std::ios::binary};
  if (!in) {
    return refuse_file(path, "cannot open the file: " + std::generic_category().message(errno),
                       "check the path, and that the user of this process may read it");
  }
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.gcount() == 0 && !in.eof())) {
    return refuse_file(path, "cannot read the file", "name a regular file, not a directory");
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  return load_text(std::move(text), path, environment);
}

Loaded load_text(std::string text, const std::string& file_name, const Environment& environment) {
  if (text.size() > kMostBytes) return refuse_size(file_name);
  if (text.compare(0, 3, "\xEF\xBB\xBF") == 0) text.erase(0, 3);
  Errors errors{file_name, text};
  Loaded loaded;
  if (!refuse_bad_byte(text, errors)) {
    const std::optional<Node> root = parse_yaml(text, errors);
    const Context context{errors, environment, folder_of(file_name)};
    if (root && root->type != NodeType::nothing) {
      read_section(*root, "", Position{}, context, loaded.options);
    } else if (errors.empty()) {
      errors.add(Position{}, "the file is empty", kSmallest);
    }
  }
  loaded.errors = errors.take();
  return loaded;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): see the header
    if (value == nullptr) return std::nullopt;
    return std::string{value};
  };
}

}  // namespace outbox::config
