// SQL of message ids.
#include "store/message_id.hpp"

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// One row of the ledger by its primary key; no locks. Asked of the function, so that the rule
// stands once.
constexpr pg::Statement kMessagePrefix{"message_prefix", R"(/* outbox:message_prefix */
SELECT regexp_replace(outbox.message_id(0), '0$', ''))"};

}  // namespace

std::string message_prefix(Database& database) {
  return pg::text(database.session().run(kMessagePrefix)[0][0]);
}

std::vector<pg::Statement> message_id_statements() { return {kMessagePrefix}; }

}  // namespace outbox::store
