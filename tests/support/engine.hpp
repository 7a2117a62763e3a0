// What tests of the engine stand on: a database with options and handlers, one queue's parts to be
// turned by hand, and whole processors. Main thread, but for what says otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/options.hpp"
#include "engine/direct_worker.hpp"
#include "engine/dispatcher.hpp"
#include "engine/handler.hpp"
#include "engine/processor.hpp"
#include "engine/runner.hpp"
#include "observe/events.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"

namespace outbox::test {

/// A migrated database without jobs, with a table `effects (job, note, at)` for handlers to write
/// to, options with short times and one queue "default", and a handler table. The log goes to
/// memory, and is shown when the test case fails. One at a time: all share one database, because to
/// empty it takes a tenth of the time that another one does.
class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Adds a handler; its options may be changed until a processor starts.
  template <class F>
  core::KindOptions& cpp(const std::string& kind, F handler) {
    return add(kind, Registry{}.add(kind, std::move(handler)).handlers().at(kind));
  }
  template <class F>
  core::KindOptions& external(const std::string& kind, F handler) {
    return add(kind, Registry{}.add_external(kind, std::move(handler)).handlers().at(kind));
  }
  core::KindOptions& sql(const std::string& kind, const std::string& statement);
  [[nodiscard]] core::QueueOptions& queue() { return options.queues.at("default"); }

  /// Inserts a job; `more` are further columns and their values as SQL. Returns its id.
  std::int64_t insert(const std::string& kind, const std::string& columns = "",
                      const std::string& values = "");
  /// Inserts `count` jobs in one transaction.
  void insert_many(const std::string& kind, int count);

  [[nodiscard]] std::int64_t live() { return db.number("SELECT count(*) FROM outbox.jobs"); }
  [[nodiscard]] std::int64_t finished();
  [[nodiscard]] std::int64_t effects() { return db.number("SELECT count(*) FROM effects"); }
  /// One value of a live job's row, as text.
  [[nodiscard]] std::string job(std::int64_t id, const std::string& expression);
  /// "reason: last_error" of a dead letter; empty when there is none.
  [[nodiscard]] std::string dead(std::int64_t id);
  /// Reasons of its failures, oldest first: "error timeout".
  [[nodiscard]] std::string failures(std::int64_t id);
  /// Value of a metric's line: `outboxd_… {…}` must start with `name` and contain `labels`.
  [[nodiscard]] double metric(const std::string& name, const std::string& labels = "") const;

  TestDatabase& db;
  core::Options options;
  engine::HandlerTable handlers;
  observe::Events events;

 private:
  core::KindOptions& add(const std::string& kind, const Registry::Handler& handler);
};

/// Writes a row to `effects` in the job's own transaction.
void note(Context& context, const std::string& text = "ran");

/// The dispatcher, a runner and a direct worker of the queue "default" without their threads; only
/// the heartbeat runs.
class Bench {
 public:
  /// `patience`: of the gate for suspects.
  explicit Bench(World& world, core::milliseconds patience = std::chrono::seconds{30});
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// Executes what waits for a runner, here and now, and brings it back. Returns how many.
  int run_tasks();
  /// turn() and run_tasks(), `times` times.
  void step(int times = 1);
  /// Takes one task out as a runner would, without running it; nullptr when there is none.
  [[nodiscard]] engine::TaskPtr take();
  void bring_back(engine::TaskPtr task) { inbox.push(std::move(task)); }
  core::milliseconds direct_turn() { return direct.turn(never_.get_token()); }
  [[nodiscard]] int id() const { return membership.id().value_or(0); }

  std::atomic<int> suspects_hint{0};
  engine::SoloGate solo;
  engine::Waker waker;
  engine::Membership membership;
  engine::Services services;
  engine::LanePlan plan;
  engine::Slots slots;
  engine::RunQueue tasks;
  engine::Inbox inbox;
  engine::Lane& lane;
  engine::Dispatcher dispatcher;
  engine::Finisher finisher;
  engine::Runner runner;
  engine::DirectWorker direct;

 private:
  std::stop_source never_;
};

/// A processor with its own copy of the options; started by the constructor, stopped at the latest
/// by the destructor.
class RunningProcessor {
 public:
  explicit RunningProcessor(World& world, std::string name = "one");
  ~RunningProcessor();
  RunningProcessor(const RunningProcessor&) = delete;
  RunningProcessor& operator=(const RunningProcessor&) = delete;

  /// As Processor::stop; a processor with stuck handlers is never destroyed.
  [[nodiscard]] bool stop();
  [[nodiscard]] engine::Health health() const { return processor_->health(); }
  [[nodiscard]] int id() const { return health().processor; }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  engine::Processor* processor_;
};

/// A plain connection of its own, for tests that hold a transaction open or need another database:
/// an application's, unless a URL says otherwise.
class Producer {
 public:
  explicit Producer(const World& world) : Producer{world.db.url(Login::app)} {}
  explicit Producer(const std::string& url);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Any SQL, BEGIN and COMMIT too; returns the first value, "" when there is none.
  std::string run(const std::string& sql);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace outbox::test
