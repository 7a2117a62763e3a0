// Reads the file that a DBA would run.
#include "support/roles.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace outbox::test {

void make_roles(TestDatabase& db) {
  std::ifstream file{OUTBOX_SOURCE_DIR "/migrations/roles.sql"};
  std::ostringstream text;
  text << file.rdbuf();
  if (text.str().empty()) throw std::runtime_error{"migrations/roles.sql is missing"};
  db.exec("SET LOCAL client_min_messages = warning;\n" + text.str());
}

core::DatabaseOptions as_role(core::DatabaseOptions options, const std::string& role) {
  options.url +=
      (options.url.find('?') == std::string::npos ? "?" : "&") + ("options=-c%20role%3D" + role);
  return options;
}

}  // namespace outbox::test
