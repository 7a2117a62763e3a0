// Handlers that break the rules, each in its own way. outboxd must neither lose nor double what
// they write, and must say what they did wrong. tests/e2e/example.sh runs it.
#include <stdexcept>
#include <string>

#include <pqxx/pqxx>

#include <outbox/outbox.hpp>

namespace {

void write(outbox::Context& context) {
  auto& tx = context.tx();
  tx.exec("INSERT INTO shop.writes (job_id) VALUES (" + tx.quote(context.job().id) + ")");
}

outbox::Registry careless_handlers() {
  outbox::Registry registry;
  registry.add("throws", [](outbox::Context& context) {
    write(context);
    throw std::runtime_error{"thrown after a write"};
  });
  registry.add("throws_anything", [](outbox::Context& context) {
    write(context);
    throw 42;  // NOLINT(hicpp-exception-baseclass): that is the point
  });
  registry.add("throws_bad_text", [](outbox::Context&) {
    throw std::runtime_error{"bad UTF-8 \xff\xfe and " + std::string(1'000'000, 'x')};
  });
  registry.add("returns_nul", [](outbox::Context&) {
    return outbox::Context::discard(std::string{"before\0after", 12});
  });
  registry.add("swallows", [](outbox::Context& context) {
    write(context);
    try {
      context.tx().exec("SELECT 1 / 0");
    } catch (const std::exception&) {  // its transaction is broken all the same
    }
    try {
      outbox::enqueue(context.tx(), {.kind = "orphan"});
    } catch (const std::exception&) {
    }
  });
  registry.add("savepoint", [](outbox::Context& context) {  // the right way to do that
    write(context);
    try {
      pqxx::subtransaction tx{context.tx(), "attempt"};
      tx.exec("SELECT 1 / 0");
    } catch (const pqxx::sql_error&) {
    }
  });
  registry.add("commits", [](outbox::Context& context) { context.tx().exec("COMMIT"); });
  registry.add("rolls_back", [](outbox::Context& context) {
    write(context);
    context.tx().exec("ROLLBACK");
  });
  registry.add("retries", [](outbox::Context& context) -> outbox::Outcome {
    write(context);
    return outbox::Context::retry_after(std::chrono::milliseconds{1}, "not done");
  });
  registry.add("takes_a_role", [](outbox::Context& context) {
    write(context);
    context.tx().exec("SET ROLE pg_monitor");
  });
  registry.add("writes", write);
  return registry;
}

}  // namespace

int main(int argc, char** argv) { return outbox::run_program(argc, argv, careless_handlers()); }
