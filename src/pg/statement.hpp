// A named SQL text with static lifetime: the name is the prepared statement's, and stands in logs
// and EXPLAIN tests.
#pragma once

namespace outbox::pg {

struct Statement {
  const char* name;
  const char* sql;
};

}  // namespace outbox::pg
