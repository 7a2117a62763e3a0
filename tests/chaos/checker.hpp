// The offline judge of a chaos run. Pure: the same history always gives the same report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "chaos/history.hpp"

namespace outbox::chaos {

/// What was broken, with the witness in words.
struct Violation {
  std::string rule;
  std::string witness;
};

struct Report {
  std::map<std::string, std::int64_t> counts;  ///< What the history holds, by name.
  std::vector<Violation> violations;           ///< All; empty when every promise held.
};

/// Rules: `empty` nothing was acknowledged or nothing took effect; `lost` an acknowledged row is
/// gone, or its job took no effect; `doubled` a transactional job took effect more than once;
/// `phantom` a row or an effect of a transaction that was rolled back, or that nobody made; `torn`
/// one transaction is there in part; `message_id` an execution under another id than its job's;
/// `order` attempts of a job, or effects that share an ordering key, came in the wrong order;
/// `again` a handler started after its job had ended; `end` a job did not end as finished, once;
/// `accounts` attempts or crashes are not those that were recorded.
[[nodiscard]] Report check(const History& history);

}  // namespace outbox::chaos
