// The README's C++ example, word for word; tests/e2e/readme.sh compares them.
#include <pqxx/pqxx>

#include <outbox/outbox.hpp>

int main(int argc, char** argv) {
  outbox::Registry registry;
  registry.add("welcome", [](outbox::Context& context) -> outbox::Outcome {
    if (context.stop_token().stop_requested())
      return outbox::Context::snooze(std::chrono::seconds{1});
    context.tx().exec("INSERT INTO greeted (job_id) VALUES (" + std::to_string(context.job().id) +
                      ")");
    outbox::enqueue(context.tx(), {.kind = "remind",
                                   .payload = R"({"after": "a week"})",
                                   .delay = std::chrono::hours{24 * 7}});
    return outbox::Context::done();
  });
  registry.add("remind", [](outbox::Context&) {});
  return outbox::run_program(argc, argv, std::move(registry));
}
