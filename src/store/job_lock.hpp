// Locks one live job for a person's change and says who holds it; only for the verbs of store/.
#pragma once

#include <optional>
#include <string>

#include "pg/session.hpp"

namespace outbox::store {

/// A live job whose row is locked until the end of the transaction.
struct LockedJob {
  bool claimed{};
  bool stranded{};     ///< Claimed by a processor that is dead or unknown.
  int claimed_by{};    ///< 0: nobody.
  bool due{};          ///< run_at has passed.
  std::string holder;  ///< Name of the processor; empty when unknown.
};

/// Waits at most 2 s for the row (core::Fault::busy then): a job of the direct lane keeps its row
/// locked while it runs. Nothing when there is no live job with that id.
[[nodiscard]] std::optional<LockedJob> lock_job(pg::Session& session, pqxx::transaction_base& tx,
                                                std::int64_t id);

/// One of kJobStates, or empty when no table has the id.
[[nodiscard]] std::string job_state(pg::Session& session, pqxx::transaction_base& tx,
                                    std::int64_t id);

}  // namespace outbox::store
