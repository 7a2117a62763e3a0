// A whole processor with no more rights than roles.sql gives it.
#include <stdexcept>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include <outbox/outbox.hpp>

#include "support/engine.hpp"
#include "support/roles.hpp"

namespace runtime_role_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::eventually;

}  // namespace runtime_role_pgtest

BOOST_AUTO_TEST_SUITE(runtime_role_pgtest)

BOOST_AUTO_TEST_CASE(a_processor_with_the_runtime_role_does_all_its_work) {
  test::World world;
  make_roles(world.db);
  world.db.exec(
      "GRANT USAGE ON SCHEMA public TO outbox_runtime; GRANT ALL ON effects TO outbox_runtime;"
      "INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, "
      "dead_after, dead_at, dead_reason) VALUES ('gone', '1', 4, 1, '{}', '{}', false, '1 s', "
      "now(), 'test')");
  world.options.database = test::as_role(world.options.database, "outbox_runtime");
  world.sql("sql", "INSERT INTO effects (job, note) VALUES ($2, current_user)");
  world.sql("fails", "SELECT 1 / 0");
  world.cpp("cpp", [](Context& context) {
    test::note(context);
    outbox::enqueue(context.tx(), {.kind = "external", .payload = "{}"});
  });
  world.external("external", [](ExternalContext&) {});
  world.cpp("discards", [](Context&) -> Outcome { return Context::discard("no"); });
  world.cpp("throws", [](Context&) { throw std::runtime_error{"always"}; });
  world.insert("sql");
  world.insert("fails", "max_attempts", "1");
  world.insert("cpp");
  world.insert("discards");
  world.insert("throws", "max_attempts", "1");
  world.insert("sql", "claimed_by, claimed_at, claim_token", "1, now(), 1");
  test::RunningProcessor processor{world};
  BOOST_TEST(eventually(20s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.finished() == 4);
  BOOST_TEST(world.db.value("SELECT string_agg(kind || ' ' || reason, ', ' ORDER BY kind) FROM "
                            "outbox.dead_jobs") ==
             "discards discarded, fails attempts, throws attempts");
  BOOST_TEST(world.db.value("SELECT string_agg(DISTINCT note, ' ') FROM effects WHERE job = 1") ==
             "outbox_runtime");
  BOOST_TEST(processor.stop());
}

BOOST_AUTO_TEST_SUITE_END()
