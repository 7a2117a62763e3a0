// Puts the connection string together; see the header.
#include "config/database_url.hpp"

#include <algorithm>
#include <array>

#include "config/fields.hpp"
#include "config/secret.hpp"
#include "config/text.hpp"
#include "core/conninfo.hpp"

namespace outbox::config {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

struct Source {
  std::string_view key;
  const Node* node;
};

// The first source given; a second one is reported. All keys are asked for, so that all become
// known.
template <std::size_t N>
std::optional<Source> only_source(Section& section, const std::array<std::string_view, N>& keys,
                                  const std::string& what) {
  std::optional<Source> source;
  for (const std::string_view key : keys) {
    const Node* node = section.find_scalar(key, "text");
    if (!section.given(key)) continue;
    if (!source) {
      source = Source{key, node};
      continue;
    }
    section.refuse(key,
                   "is a second source of the " + what + ", beside " + section.path(source->key),
                   "keep one of them");
  }
  return source;
}

std::optional<std::string> from_environment(Section& section, const Context& context,
                                            const Source& source) {
  const std::string& name = source.node->text;
  std::optional<std::string> value;
  if (!name.empty() && name.find('=') == std::string::npos) value = context.environment(name);
  if (value && !value->empty()) return value;
  section.refuse(source.key,
                 "the environment variable " + show(name) + (value ? " is empty" : " is not set"),
                 "this key takes the name of a variable; set it for this process");
  return std::nullopt;
}

std::optional<std::string> from_file(Section& section, const Context& context,
                                     const Source& source) {
  std::string path = source.node->text;
  if (!context.folder.empty() && path.substr(0, 1) != "/") path = context.folder + "/" + path;
  Secret secret = read_secret_file(path);
  if (!secret.text) section.refuse(source.key, secret.problem, secret.hint);
  return std::move(secret.text);
}

std::optional<std::string> read_source(Section& section, const Context& context,
                                       const Source& source) {
  if (source.node == nullptr) return std::nullopt;
  if (ends_with(source.key, "_env")) return from_environment(section, context, source);
  if (ends_with(source.key, "_file")) return from_file(section, context, source);
  return source.node->text;
}

// What is wrong with the form of the text; empty when libpq will be able to read it.
std::string form_problem(const std::string& url) {
  if (url.empty()) return "is empty";
  const std::size_t scheme = url.find("://");
  const bool other_scheme = scheme != std::string::npos && scheme < url.find_first_of("= ");
  if (other_scheme && !core::is_database_url(url)) return "is a URL, but not one of PostgreSQL";
  if (find_bad_byte(url) != std::string::npos) return "is not valid UTF-8";
  if (!core::parse_conninfo(url)) return "is neither a PostgreSQL URL nor a list of key=value";
  return {};
}

bool has_password(const std::string& url) {
  const auto parts = core::parse_conninfo(url);
  return parts && std::any_of(parts->begin(), parts->end(), [](const core::ConninfoPart& part) {
           return part.key == "password";
         });
}

}  // namespace

void read_database_url(Section& section, const Context& context, std::string& url) {
  const std::optional<Source> source = only_source(section, kUrlKeys, "url");
  const std::optional<Source> password_source = only_source(section, kPasswordKeys, "password");
  std::optional<std::string> text;
  if (source) {
    text = read_source(section, context, *source);
  } else {
    section.conflict(
        {}, "the database has no url: database.url is missing",
        "write\ndatabase:\n  url: postgresql:///app\nor give its source as url_env or url_file");
  }
  if (text) {
    const std::string problem = form_problem(*text);
    if (!problem.empty()) {
      section.refuse(source->key, "the connection string " + problem,
                     "write postgresql://user@host:5432/database, or host=... dbname=... user=...");
      text.reset();
    }
  }
  std::optional<std::string> password;
  if (password_source) password = read_source(section, context, *password_source);
  if (!text) return;
  url = *text;
  if (!password) return;
  if (has_password(url)) {
    section.refuse(password_source->key,
                   "is a second source of the password: the url holds one too",
                   "remove the password from the url");
    return;
  }
  url = core::with_password(url, *password);
}

}  // namespace outbox::config
