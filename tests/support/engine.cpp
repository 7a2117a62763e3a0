// Building the parts of the engine for tests.
#include "support/engine.hpp"

#include <iostream>
#include <sstream>

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <pqxx/pqxx>

#include "observe/log.hpp"
#include "support/emptied.hpp"

namespace outbox::test {

using core::milliseconds;

namespace {

/// Lives until the end: a thread of a processor with stuck handlers may still log.
std::ostringstream& log_text() {
  static std::ostringstream text;
  return text;
}

bool current_case_failed() {
  namespace ut = boost::unit_test;
  return !ut::results_collector.results(ut::framework::current_test_case().p_id).passed();
}

}  // namespace

World::World() : db{emptied_database()} {
  log_text().str("");
  core::LogOptions log;
  log.level = "debug";
  observe::init_log(log, log_text());
  options.database = db.options();
  options.processor.name = "test";
  options.processor.heartbeat = milliseconds{100};
  options.processor.dead_after = milliseconds{2'000};
  options.processor.grace = milliseconds{2'000};
  options.processor.poll = milliseconds{30'000};
  options.queues["default"] = {};
  db.exec("CREATE TABLE effects (job bigint, note text, at timestamptz DEFAULT clock_timestamp())");
}

World::~World() {
  observe::init_log(core::LogOptions{});
  if (current_case_failed()) std::cerr << log_text().str();
}

core::KindOptions& World::add(const std::string& kind, const Registry::Handler& handler) {
  auto& added = handlers[kind];
  std::visit([&added](const auto& run) { added.run = run; }, handler);
  added.options.backoff.first = milliseconds{100};
  return added.options;
}

core::KindOptions& World::sql(const std::string& kind, const std::string& statement) {
  auto& added = handlers[kind];
  added.run = store::SqlBody{statement, ""};
  added.options.sql = core::SqlHandler{statement, "", ""};
  added.options.backoff.first = milliseconds{100};
  return added.options;
}

std::int64_t World::insert(const std::string& kind, const std::string& columns,
                           const std::string& values) {
  return db.number("INSERT INTO outbox.jobs (kind" + (columns.empty() ? "" : ", " + columns) +
                   ") VALUES ('" + kind + "'" + (values.empty() ? "" : ", " + values) +
                   ") RETURNING id");
}

void World::insert_many(const std::string& kind, int count) {
  db.exec("INSERT INTO outbox.jobs (kind) SELECT '" + kind + "' FROM generate_series(1, " +
          std::to_string(count) + ")");
}

std::int64_t World::finished() { return db.number("SELECT count(*) FROM outbox.finished_jobs"); }

std::string World::job(std::int64_t id, const std::string& expression) {
  return db.value("SELECT " + expression + " FROM outbox.jobs WHERE id = " + std::to_string(id));
}

std::string World::dead(std::int64_t id) {
  return db.value(
      "SELECT string_agg(reason || ': ' || last_error, '') FROM outbox.dead_jobs WHERE id = " +
      std::to_string(id));
}

std::string World::failures(std::int64_t id) {
  return db.value(
      "SELECT string_agg(reason, ' ' ORDER BY failed_at) FROM outbox.job_failures WHERE job_id = " +
      std::to_string(id));
}

double World::metric(const std::string& name, const std::string& labels) const {
  std::istringstream lines{events.metrics_text()};
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name, 0) != 0 || line.find(labels) == std::string::npos) continue;
    const char after = line[name.size()];
    if (after == ' ' || after == '{') return std::stod(line.substr(line.rfind(' ')));
  }
  return 0;
}

void note(Context& context, const std::string& text) {
  auto& tx = context.tx();
  tx.exec("INSERT INTO effects (job, note) VALUES (" + std::to_string(context.job().id) + ", " +
          tx.quote(text) + ")");
}

Bench::Bench(World& world, milliseconds patience)
    : solo{patience},
      waker{world.options, world.events, suspects_hint},
      membership{world.options,
                 {.name = "bench",
                  .version = "0",
                  .built_for = 3,
                  .pid = 1,
                  .queues = {"default"},
                  .kinds = {},
                  .dead_after = world.options.processor.dead_after},
                 world.events,
                 {.dead_waiting = [](bool) {}, .fenced = [this] { dispatcher.fence(); }}},
      services{world.options, world.handlers, world.events, membership, waker, solo, suspects_hint},
      plan{"default", world.handlers, world.events},
      slots{world.queue().concurrency},
      lane{waker.add_lane()},
      dispatcher{services,      "default",
                 world.queue(), plan,
                 tasks,         inbox,
                 lane,          [this](engine::TaskPtr task) { finisher.push(std::move(task)); }},
      finisher{services, world.queue(), inbox, lane, plan},
      runner{services, world.queue(), tasks, inbox, lane, slots, plan, finisher},
      direct{services,
             "default",
             world.queue(),
             plan,
             slots,
             waker.add_lane(),
             engine::DirectWorker::Role::first} {
  membership.start();
}

Bench::~Bench() { membership.stop(store::Left::nothing); }

engine::TaskPtr Bench::take() {
  std::stop_source stopped;
  stopped.request_stop();
  return tasks.take(stopped.get_token());
}

int Bench::run_tasks() {
  int count = 0;
  while (auto task = take()) {
    runner.execute(*task);
    if (std::holds_alternative<ExternalFunction>(
            services.handlers.at(task->claimed.job.kind).run)) {
      finisher.push(std::move(task));
      finisher.turn();
    } else {
      bring_back(std::move(task));
    }
    ++count;
  }
  return count;
}

void Bench::step(int times) {
  for (int i = 0; i < times; ++i) {
    dispatcher.turn();
    run_tasks();
  }
}

struct RunningProcessor::Parts {
  Parts(const World& world, const std::string& name) : options{world.options} {
    options.processor.name = name;
  }
  core::Options options;
  std::unique_ptr<engine::Processor> processor;
};

RunningProcessor::RunningProcessor(World& world, std::string name)
    : parts_{std::make_unique<Parts>(world, name)} {
  parts_->processor =
      std::make_unique<engine::Processor>(parts_->options, world.handlers, world.events);
  processor_ = parts_->processor.get();
  processor_->start();
}

RunningProcessor::~RunningProcessor() {
  if (parts_) (void)stop();
}

bool RunningProcessor::stop() {
  if (processor_->stop("the test says so")) return true;
  static std::vector<std::unique_ptr<Parts>> stuck;  // their threads still use them
  stuck.push_back(std::move(parts_));
  return false;
}

struct Producer::Connection {
  explicit Connection(const std::string& url) : connection{url} {}
  pqxx::connection connection;
};

Producer::Producer(const std::string& url) : connection_{std::make_unique<Connection>(url)} {}
Producer::~Producer() = default;

std::string Producer::run(const std::string& sql) {
  pqxx::nontransaction tx{connection_->connection};
  const pqxx::result rows = tx.exec(sql);
  return rows.empty() || rows[0][0].is_null() ? std::string{} : std::string{rows[0][0].c_str()};
}

}  // namespace outbox::test
