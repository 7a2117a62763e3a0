// Sessions beside the test's own.
#include "support/actor.hpp"

#include <pqxx/pqxx>

#include "support/eventually.hpp"

namespace outbox::test {

std::int64_t blocked_sessions(TestDatabase& db) {
  return db.number(
      "SELECT count(*) FROM pg_stat_activity"
      " WHERE datname = current_database() AND wait_event_type = 'Lock'");
}

bool eventually_blocked(TestDatabase& db, std::int64_t sessions) {
  return eventually(kPatience, [&] { return blocked_sessions(db) == sessions; });
}

struct Transaction::Open {
  explicit Open(const std::string& url) : connection{url} {}
  pqxx::connection connection;
  pqxx::work tx{connection};
};

Transaction::Transaction(const TestDatabase& db, const std::string& sql)
    : open_{std::make_unique<Open>(db.url())} {
  if (!sql.empty()) exec(sql);
}

Transaction::~Transaction() = default;

void Transaction::exec(const std::string& sql) { open_->tx.exec(sql); }

void Transaction::commit() {
  open_->tx.commit();
  open_.reset();
}

void Transaction::rollback() { open_.reset(); }

}  // namespace outbox::test
