// A program of your own with C++ handlers: it has all the commands of outboxd, and is started as
// `example_mail run --config FILE`. tests/e2e/example.sh runs it.
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <outbox/outbox.hpp>

namespace {

using namespace std::chrono_literals;

struct Order {
  std::int64_t id{};
  std::string customer;
};

// What it throws becomes the reason in the dead letters: a payload like this can never succeed.
Order parse_order(std::string_view payload) {
  const auto json = nlohmann::json::parse(payload);
  return {.id = json.at("order"), .customer = json.at("customer")};
}

void send(outbox::Context& context, const std::string& recipient, const std::string& body) {
  auto& tx = context.tx();
  tx.exec("INSERT INTO shop.mails (job_id, recipient, body) VALUES (" + tx.quote(context.job().id) +
          ", " + tx.quote(recipient) + ", " + tx.quote(body) + ")");
}

// Writes go through context.tx(): they, the follow-up job and the end of this job are one commit.
outbox::Outcome confirm(outbox::Context& context, const Order& order) {
  auto& tx = context.tx();
  if (order.customer.find('@') == std::string::npos)
    return outbox::Context::discard("'" + order.customer + "' is no address");

  const auto paid = tx.exec("SELECT paid FROM shop.orders WHERE id = " + tx.quote(order.id));
  if (paid.empty()) throw std::runtime_error{"there is no order " + std::to_string(order.id)};
  if (!paid[0][0].as<bool>()) return outbox::Context::snooze(100ms);

  send(context, order.customer, "your order");
  outbox::enqueue(tx, {.kind = "survey",
                       .payload = context.job().payload,
                       .unique_key = "survey " + order.customer});
  return outbox::Context::done();
}

// The first attempt finds the other side busy, and says itself when to come back.
outbox::Outcome survey(outbox::Context& context, const Order& order) {
  if (context.job().attempt == 1) return outbox::Context::retry_after(50ms, "come back later");
  send(context, order.customer, "a survey");
  return outbox::Context::done();
}

// Long work looks at its stop token: set when the kind's timeout is over or the processor stops.
outbox::Outcome digest(outbox::Context& context) {
  context.tx().exec("INSERT INTO shop.digests DEFAULT VALUES");
  for (int page = 0; page < 6'000; ++page) {
    if (context.stop_token().stop_requested())
      return outbox::Context::retry_after(10ms, "stopped at page " + std::to_string(page));
    std::this_thread::sleep_for(10ms);  // the work
  }
  return outbox::Context::done();
}

}  // namespace

int main(int argc, char** argv) {
  outbox::Registry registry;
  registry.add("confirm", parse_order, confirm)
      .add("survey", parse_order, survey)
      .add("digest", digest);
  return outbox::run_program(argc, argv, std::move(registry));
}
