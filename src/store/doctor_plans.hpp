// What the doctor expects of the plans of the hot statements; apart for the test that holds it
// against the statements themselves.
#pragma once

#include <array>

namespace outbox::store::doctor {

struct ExpectedPlan {
  const char* statement;  ///< Name of the one in store/statements.hpp.
  const char* scan;       ///< Index by which it reaches outbox.jobs; "Tid Scan": by place.
};

inline constexpr std::array<ExpectedPlan, 11> kExpectedPlans{{
    {"claim", "jobs_claim_idx"},
    {"claim_suspect", "jobs_suspect_idx"},
    {"suspect_waiting", "jobs_suspect_idx"},
    {"next_due", "jobs_claim_idx"},
    {"finish_batch", "Tid Scan"},
    {"finish_batch_history", "Tid Scan"},
    {"finish_batch_detail", "Tid Scan"},
    {"finish_batch_moved", "jobs_pkey"},
    {"retry", "jobs_pkey"},
    {"snooze", "jobs_pkey"},
    {"bury", "jobs_pkey"},
}};

}  // namespace outbox::store::doctor
