// Makes the databases of tests: cleaned and given to the next test, dropped when the program ends.
#include "support/database.hpp"

#include <cstdlib>
#include <iostream>
#include <mutex>
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

void migrate(pqxx::connection& connection) {
  for (const auto& file : store::embedded_migrations()) {
    if (!file.name.ends_with(".up.sql")) continue;
    pqxx::work tx{connection};
    tx.exec(std::string{file.text});
    tx.commit();
  }
}

}  // namespace

std::string test_url(const std::string& database) {
  const std::string url = server_url();
  if (url.find("://") == std::string::npos) return url + " dbname=" + database;
  return url + (url.find('?') == std::string::npos ? "?" : "&") + "dbname=" + database;
}

struct TestDatabase::Connection {
  explicit Connection(const std::string& url) : connection{url} {}
  pqxx::connection connection;
};

TestDatabase::TestDatabase(Schema schema) : name_{pool().take()}, url_{test_url(name_)} {
  exec(kClean);
  if (schema == Schema::migrated) migrate(connection_->connection);
}

TestDatabase::~TestDatabase() {
  connection_.reset();
  pool().give_back(name_);
}

core::DatabaseOptions TestDatabase::options() const {
  core::DatabaseOptions options;
  options.url = url_;
  return options;
}

void TestDatabase::exec(const std::string& sql) {
  if (!connection_) connection_ = std::make_unique<Connection>(url_);
  pqxx::work tx{connection_->connection};
  tx.exec(sql);
  tx.commit();
}

std::string TestDatabase::value(const std::string& sql) {
  if (!connection_) connection_ = std::make_unique<Connection>(url_);
  pqxx::work tx{connection_->connection};
  const pqxx::result rows = tx.exec(sql);
  tx.commit();
  if (rows.empty()) throw std::runtime_error{"no row: " + sql};
  return rows[0][0].is_null() ? std::string{} : std::string{rows[0][0].c_str()};
}

std::int64_t TestDatabase::number(const std::string& sql) { return std::stoll(value(sql)); }

}  // namespace outbox::test
