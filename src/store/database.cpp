// Opening connections.
#include "store/database.hpp"

#include <algorithm>

#include <outbox/version.hpp>

#include "pg/session.hpp"

namespace outbox::store {

namespace {

core::milliseconds time_limit(const core::DatabaseOptions& options, Use use) {
  switch (use) {
    case Use::chores:
      return std::max(options.statement_timeout, core::milliseconds{60'000});
    case Use::claims:
    case Use::handlers:  // a transaction of run() has the timeout of its kind instead
    case Use::people:
      break;
  }
  return options.statement_timeout;
}

pg::ConnectSpec spec_for(const core::DatabaseOptions& options, const std::string& role, Use use) {
  return {.url = options.url,
          .application_name = "outboxd " + std::string{kVersion} + " " + role,
          .connect_timeout = options.connect_timeout,
          .statement_timeout = time_limit(options, use),
          .purpose =
              use == Use::people || use == Use::handlers ? pg::Purpose::plain : pg::Purpose::hot};
}

}  // namespace

Database::Database(const core::DatabaseOptions& options, const std::string& role, Use use)
    : session_{std::make_unique<pg::Session>(spec_for(options, role, use))} {}

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

int Database::backend_pid() const { return pooled() ? 0 : session_->backend_pid(); }
int Database::socket() const { return session_->socket(); }
bool Database::pooled() const { return session_->pooled(); }

}  // namespace outbox::store
