// SQL of who is alive, for migrations.
#include "store/live_processors.hpp"

#include <sstream>

#include "core/error.hpp"

namespace outbox::store {

namespace {

constexpr pg::Statement kHasProcessors{
    "live_processors_exist", "SELECT pg_catalog.to_regclass('outbox.processors') IS NOT NULL"};

// No index: a row a processor. No row locks. The database's clock decides who is late, as in
// store/presence.
constexpr pg::Statement kLive{"live_processors", R"(/* outbox:live_processors */
SELECT id, name, version, built_for, coalesce(oldest_schema, built_for), extract(epoch FROM clock_timestamp() - heartbeat_at)::float8
  FROM outbox.processors WHERE dead_at IS NULL AND heartbeat_at > clock_timestamp() - dead_after ORDER BY id)"};

std::string described(const LiveProcessor& processor) {
  std::ostringstream out;
  out.precision(1);
  out << std::fixed << processor.id << " (" << processor.name << ", outboxd " << processor.program
      << ", runs on schema " << processor.oldest_schema << " to " << processor.built_for
      << ", heartbeat " << processor.heartbeat_age << " s ago)";
  return out.str();
}

}  // namespace

std::vector<LiveProcessor> live_processors(pg::Session& session, pqxx::transaction_base& tx) {
  std::vector<LiveProcessor> out;
  if (!session.call(tx, kHasProcessors)[0][0].as<bool>()) return out;
  for (const auto& row : session.call(tx, kLive)) {
    out.push_back({.id = row[0].as<int>(),
                   .name = pg::text(row[1]),
                   .program = pg::text(row[2]),
                   .built_for = row[3].as<int>(),
                   .oldest_schema = row[4].as<int>(),
                   .heartbeat_age = row[5].as<double>()});
  }
  return out;
}

void refuse_live_processors(pg::Session& session, pqxx::transaction_base& tx,
                            const SchemaVersion& schema) {
  if (!session.call(tx, kHasProcessors)[0][0].as<bool>()) return;
  tx.exec("SET LOCAL lock_timeout = '2s'; LOCK TABLE outbox.processors IN SHARE MODE");
  std::string who;
  for (const auto& processor : live_processors(session, tx)) {
    if (processor.could_live_with(schema)) continue;
    who += (who.empty() ? "" : ", ") + described(processor);
  }
  if (who.empty()) return;
  throw core::Error{
      core::ExitCode::live_processors,
      "processors are alive that could not live with schema " + std::to_string(schema.version) +
          ": " + who,
      "stop them, or replace them by a program that can; a killed one counts as live until its "
      "heartbeat is late; --force goes on, and they stop by themselves"};
}

}  // namespace outbox::store
