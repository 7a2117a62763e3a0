// Makes the databases of tests: cleaned and given to the next test, dropped when the program ends.
#include "support/database.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <unistd.h>
#include <vector>

#include <pqxx/pqxx>

#include "store/embedded.hpp"

namespace outbox::test {

namespace {

std::string server_url() {
  const char* url = std::getenv("OUTBOX_TEST_PG");
  if (url == nullptr || *url == '\0') {
    throw std::runtime_error{
        "OUTBOX_TEST_PG is not set: expected the URL of a throw-away PostgreSQL server's "
        "superuser. "
        "hint: OUTBOX_TEST_PG=$(scripts/pg up && scripts/pg url), or run scripts/test"};
  }
  return url;
}

/// One statement on the server's maintenance database, outside a transaction.
void on_server(const std::string& sql) {
  pqxx::connection connection{server_url()};
  pqxx::nontransaction tx{connection};
  tx.exec(sql);
}

void drop(const std::string& name) noexcept {
  try {
    on_server("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
  } catch (const std::exception& e) {
    std::cerr << "test database " << name << " stays: " << e.what() << '\n';
  }
}

// Leaves nothing of the last test: its sessions, schemas (public included) and settings.
constexpr const char* kClean = R"(
DO $$
DECLARE s name;
BEGIN
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
   WHERE datname = current_database() AND pid <> pg_backend_pid();
  EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
  FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', s);
  END LOOP;
  CREATE SCHEMA public;
  IF EXISTS (SELECT FROM pg_default_acl) THEN
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM outbox_runtime, outbox_producer;
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM outbox_runtime, outbox_producer;
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM outbox_runtime, outbox_producer;
  END IF;
END $$)";

/// Databases that tests have given back. To clean one takes a seventh of the time that a new one
/// does.
class Pool {
 public:
  // A first statement, so that libpqxx's own static objects outlive this one.
  Pool() { on_server("SELECT 1"); }
  ~Pool() {
    for (const auto& name : all_) drop(name);
  }

  std::string take() {
    const std::lock_guard lock{mutex_};
    if (!free_.empty()) {
      std::string name = free_.back();
      free_.pop_back();
      return name;
    }
    std::string name =
        "outbox_test_" + std::to_string(::getpid()) + "_" + std::to_string(all_.size() + 1);
    drop(name);
    on_server("CREATE DATABASE " + name + " TEMPLATE template0");
    all_.push_back(name);
    return name;
  }

  void give_back(const std::string& name) {
    const std::lock_guard lock{mutex_};
    free_.push_back(name);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
  std::vector<std::string> free_;
};

Pool& pool() {
  static Pool instance;
  return instance;
}

std::string source(const std::string& path) {
  std::ifstream in{std::string{OUTBOX_SOURCE_DIR "/"} + path};
  std::ostringstream out;
  out << in.rdbuf();
  if (!in) throw std::runtime_error{"cannot read " + path};
  return out.str();
}

/// As the migrator does it: everything belongs to outbox_owner.
void migrate(TestDatabase& database) {
  for (const auto& file : store::embedded_migrations()) {
    if (file.name.ends_with(".up.sql"))
      database.exec("SET LOCAL ROLE outbox_owner; " + std::string{file.text});
  }
}

const char* name_of(Login login) {
  switch (login) {
    case Login::migrator:
      return "outbox_test_migrator";
    case Login::worker:
      return "outbox_test_worker";
    case Login::app:
      return "outbox_test_app";
    case Login::operating:
      return "outbox_test_operator";
    case Login::superuser:
      break;
  }
  throw std::logic_error{"the superuser's name is in OUTBOX_TEST_PG"};
}

/// What comes later in a libpq URL or conninfo outweighs what came before.
std::string with(const std::string& url, const std::string& key, const std::string& value) {
  const bool is_url = url.find("://") != std::string::npos;
  const char* separator = !is_url ? " " : url.find('?') == std::string::npos ? "?" : "&";
  return url + separator + key + "=" + value;
}

}  // namespace

std::string test_url(const std::string& database) { return with(server_url(), "dbname", database); }

struct TestDatabase::Connection {
  explicit Connection(const std::string& url) : connection{url} {}
  pqxx::connection connection;
};

TestDatabase::TestDatabase(Schema schema) : name_{pool().take()}, schema_{schema} {
  exec(kClean);
  if (schema == Schema::empty) return;
  static const std::string roles =
      source("migrations/roles.sql") + source("tests/support/logins.sql");
  exec(roles);
  migrate(*this);
}

TestDatabase::~TestDatabase() {
  connections_.clear();
  pool().give_back(name_);
}

std::string TestDatabase::url(Login login) const {
  const auto url = test_url(name_);
  return login == Login::superuser ? url : with(url, "user", name_of(login));
}

core::DatabaseOptions TestDatabase::options() const {
  return options(schema_ == Schema::empty ? Login::superuser : Login::worker);
}

core::DatabaseOptions TestDatabase::options(Login login) const {
  core::DatabaseOptions options;
  options.url = url(login);
  return options;
}

TestDatabase::Connection& TestDatabase::connection(Login login) {
  auto& connection = connections_[login];
  if (!connection) connection = std::make_unique<Connection>(url(login));
  return *connection;
}

void TestDatabase::exec(const std::string& sql, Login login) {
  pqxx::work tx{connection(login).connection};
  tx.exec(sql);
  tx.commit();
}

std::string TestDatabase::value(const std::string& sql, Login login) {
  pqxx::work tx{connection(login).connection};
  const pqxx::result rows = tx.exec(sql);
  tx.commit();
  if (rows.empty()) throw std::runtime_error{"no row: " + sql};
  return rows[0][0].is_null() ? std::string{} : std::string{rows[0][0].c_str()};
}

std::int64_t TestDatabase::number(const std::string& sql, Login login) {
  return std::stoll(value(sql, login));
}

}  // namespace outbox::test
