// Puts the connection string together; see the header.
#include "config/database_url.hpp"

#include <algorithm>

#include "config/fields.hpp"
#include "config/source.hpp"
#include "config/text.hpp"
#include "core/conninfo.hpp"

namespace outbox::config {
namespace {

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
