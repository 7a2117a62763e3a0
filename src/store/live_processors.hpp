// Processors that are alive, and whether they could live with another schema. Used within store/.
#pragma once

#include <string>
#include <vector>

#include "pg/session.hpp"
#include "store/schema_version.hpp"

namespace outbox::store {

struct LiveProcessor {
  int id{};
  std::string name;
  std::string program;  ///< Version of outboxd.
  int built_for{};
  int oldest_schema{};
  double heartbeat_age{};  ///< Seconds.

  /// As at its start. Pure.
  [[nodiscard]] bool could_live_with(const SchemaVersion& schema) const {
    return !compatible(schema, built_for, oldest_schema);
  }
};

/// Not marked dead, with a heartbeat that is not late; empty when there is no such table.
[[nodiscard]] std::vector<LiveProcessor> live_processors(pg::Session& session,
                                                         pqxx::transaction_base& tx);

/// Throws core::Error `live_processors`, listing those that could not live with `schema`. Keeps
/// others from registering until the end of the transaction: a SHARE lock, which also holds up
/// heartbeats; waits for it at most 2 s.
void refuse_live_processors(pg::Session& session, pqxx::transaction_base& tx,
                            const SchemaVersion& schema);

}  // namespace outbox::store
