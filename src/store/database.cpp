// Opening connections.
#include "store/database.hpp"

#include <outbox/version.hpp>

#include "pg/session.hpp"

namespace outbox::store {

namespace {

pg::ConnectSpec spec_for(const core::DatabaseOptions& options, const std::string& role, Use use) {
  return {
      .url = options.url,
      .application_name = "outboxd " + std::string{kVersion} + " " + role,
      .connect_timeout = options.connect_timeout,
      .statement_timeout = use == Use::handlers ? core::milliseconds{0} : options.statement_timeout,
      .purpose = use == Use::claims ? pg::Purpose::hot : pg::Purpose::plain};
}

}  // namespace

Database::Database(const core::DatabaseOptions& options, const std::string& role, Use use)
    : session_{std::make_unique<pg::Session>(spec_for(options, role, use))} {}

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

int Database::backend_pid() const { return session_->backend_pid(); }
bool Database::pooled() const { return session_->pooled(); }

}  // namespace outbox::store
