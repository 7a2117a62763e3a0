// SQL of switching JIT off.
#include "store/no_jit.hpp"

#include "pg/session.hpp"

namespace outbox::store {

namespace {

constexpr pg::Statement kNoJit{"no_jit", "SELECT set_config('jit', 'off', false)"};

}  // namespace

void no_jit(Database& database) {
  if (!database.pooled()) database.session().run(kNoJit);
}

}  // namespace outbox::store
