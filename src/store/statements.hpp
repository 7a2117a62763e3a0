// The SQL of a running processor by name, for the tests that prepare it and look at its plans. The
// texts stay beside the code that binds them. For tests and the doctor; a processor calls none of
// these.
#pragma once

#include <vector>

#include "pg/statement.hpp"

namespace outbox::store {

/// Every statement of the files below, in that order.
[[nodiscard]] std::vector<pg::Statement> statements();

[[nodiscard]] std::vector<pg::Statement> claim_statements();
[[nodiscard]] std::vector<pg::Statement> direct_statements();
[[nodiscard]] std::vector<pg::Statement> content_statements();
[[nodiscard]] std::vector<pg::Statement> run_statements();
[[nodiscard]] std::vector<pg::Statement> sql_body_statements();
[[nodiscard]] std::vector<pg::Statement> sql_body_statements();
[[nodiscard]] std::vector<pg::Statement> finish_statements();
[[nodiscard]] std::vector<pg::Statement> finish_batch_statements();
[[nodiscard]] std::vector<pg::Statement> strays_statements();
[[nodiscard]] std::vector<pg::Statement> due_statements();
[[nodiscard]] std::vector<pg::Statement> presence_statements();
[[nodiscard]] std::vector<pg::Statement> sleep_statements();
[[nodiscard]] std::vector<pg::Statement> retention_statements();
[[nodiscard]] std::vector<pg::Statement> kinds_statements();
[[nodiscard]] std::vector<pg::Statement> message_id_statements();
[[nodiscard]] std::vector<pg::Statement> handler_check_statements();
[[nodiscard]] std::vector<pg::Statement> privileges_statements();

}  // namespace outbox::store
