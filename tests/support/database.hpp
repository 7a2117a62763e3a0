// A database of its own for one test case, migrated, gone at the end of the run. Used by one
// thread; needs OUTBOX_TEST_PG.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/options.hpp"

namespace outbox::test {

/// What a new database holds.
enum class Schema { migrated, empty };

/// Who a session is. All but the superuser are logins of tests/support/logins.sql, with no more
/// rights than the role of their name has (the app is a producer).
enum class Login { superuser, migrator, worker, app, operating };

/// Costs about 150 ms; the first of a run, and each that lives beside another, a second. Nothing of
/// an earlier test is in it, and no session of one is left. The server is that of the environment
/// variable OUTBOX_TEST_PG, a libpq URL or conninfo of a superuser. Throws std::runtime_error when
/// that is missing.
class TestDatabase {
 public:
  explicit TestDatabase(Schema schema = Schema::migrated);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string url(Login login = Login::superuser) const;
  /// Of the product's own sessions: the worker, who may use what the superuser makes in this
  /// database, but owns nothing. In an empty database, where nobody has rights yet, the superuser.
  [[nodiscard]] core::DatabaseOptions options() const;
  [[nodiscard]] core::DatabaseOptions options(Login login) const;

  /// Runs SQL on a plain connection, several statements allowed, each call its own transaction.
  /// Throws what libpqxx throws.
  void exec(const std::string& sql, Login login = Login::superuser);
  /// First column of the first row, as text; "" when NULL. Throws std::runtime_error when there is
  /// no row.
  [[nodiscard]] std::string value(const std::string& sql, Login login = Login::superuser);
  [[nodiscard]] std::int64_t number(const std::string& sql, Login login = Login::superuser);

 private:
  struct Connection;
  Connection& connection(Login login);
  std::string name_;
  Schema schema_;
  std::map<Login, std::unique_ptr<Connection>> connections_;  ///< Opened on first use.
};

/// URL of another database on the server of OUTBOX_TEST_PG.
[[nodiscard]] std::string test_url(const std::string& database);

}  // namespace outbox::test
