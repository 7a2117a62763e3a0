// The list of lists.
#include "store/statements.hpp"

namespace outbox::store {

std::vector<pg::Statement> statements() {
  std::vector<pg::Statement> out;
  for (const auto& some :
       {claim_statements(), content_statements(), direct_statements(), run_statements(),
        sql_body_statements(), finish_statements(), finish_batch_statements(), strays_statements(),
        due_statements(), presence_statements(), sleep_statements(), retention_statements(),
        kinds_statements(), message_id_statements(), handler_check_statements(),
        privileges_statements()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

}  // namespace outbox::store
