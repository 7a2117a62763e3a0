// The composition root of the engine.
#include "engine/processor.hpp"

#include <array>
#include <unistd.h>

#include <outbox/version.hpp>

#include "store/kinds.hpp"
#include "store/presence.hpp"
#include "store/privileges.hpp"
#include "store/retention.hpp"
#include "store/schema_version.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::milliseconds;

namespace {

std::string default_name() {
  std::array<char, 65> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string{host.data()}.substr(0, 50) + ":" + std::to_string(::getpid());
}

}  // namespace

Processor::Processor(const core::Options& options, const HandlerTable& handlers,
                     observe::Events& events, GiveUp give_up)
    : options_{options},
      handlers_{handlers},
      events_{events},
      waker_{options, events, suspects_hint_, [this] { maintenance_.schema_changed(); },
             [this] { maintenance_.kinds_changed(); }},
      membership_{options,
                  registration(),
                  events,
                  {.dead_waiting =
                       [this](bool fresh) {
                         maintenance_.dead_waiting(fresh ? Maintenance::News::fresh
                                                         : Maintenance::News::old);
                       },
                   .fenced =
                       [this] {
                         for (const auto& queue : queues_) queue->fence();
                       }}},
      services_{options, handlers, events,         membership_,
                waker_,  solo_,    suspects_hint_, once(std::move(give_up))},
      maintenance_{services_,
                   [this](const std::vector<std::string>& kinds) { set_paused(kinds); }} {
  for (const auto& [name, queue] : options.queues)
    queues_.push_back(std::make_unique<Queue>(services_, name, queue));
}

Processor::~Processor() {
  if (running_) (void)stop("it is destroyed");
}

/// Several handlers may be stuck at a time, and one may be found so while the processor stops
/// anyway: a second request would end the process without its grace time.
Processor::GiveUp Processor::once(GiveUp give_up) {
  return [this, give_up = std::move(give_up)](const core::Error& why) {
    if (give_up && !stopping_ && !gave_up_.exchange(true)) give_up(why);
  };
}

/// What the cursors have passed while its kind was paused is found by a look from the start, as
/// after any wake-up. Suspects have been looked for in vain when the news came.
void Processor::set_paused(const std::vector<std::string>& kinds) {
  bool changed = false;
  for (const auto& queue : queues_) changed = queue->set_paused(kinds) || changed;
  if (!changed) return;
  ++suspects_hint_;
  waker_.found_work();
  waker_.wake_lanes();
}

store::Registration Processor::registration() const {
  store::Registration out;
  out.name = options_.processor.name.empty() ? default_name() : options_.processor.name;
  out.version = std::string{kVersion};
  out.built_for = store::schema_built_for();
  out.oldest_schema = store::kSchemaOldest;
  out.pid = static_cast<int>(::getpid());
  for (const auto& [name, queue] : options_.queues) out.queues.push_back(name);
  for (const auto& [kind, handler] : handlers_) out.kinds.push_back(kind);
  out.dead_after = options_.processor.dead_after;
  return out;
}

std::string Processor::check_database() {
  store::Database database{options_.database, "start", store::Use::people};
  const auto standing = store::admit(database, options_.database);
  if (!standing.excess.empty())
    events_.privileged_role("role " + standing.role + " is " + standing.excess +
                            ", and so are all handlers");
  store::save_queues(database, options_.queues);
  set_paused(store::paused_kinds(database));
  return standing.role;
}

void Processor::start() {
  started_at_ = Clock::now();
  const auto role = check_database();
  membership_.start();
  running_ = true;
  int connections = 3;  // heartbeat, wake-up, maintenance
  for (const auto& queue : queues_) connections += queue->connections_most();
  events_.started(membership_.id().value_or(0), registration().name, role,
                  store::schema_built_for(), connections);
  maintenance_.start();
  waker_.start();
  for (const auto& queue : queues_) queue->start();
}

bool Processor::stop(const std::string& why) {
  if (!running_.exchange(false)) return true;
  stopping_ = true;
  events_.stopping(why, options_.processor.grace);
  const auto grace_ends = Clock::now() + options_.processor.grace;
  for (const auto& queue : queues_) queue->request_stop(grace_ends);
  const std::jthread canceller{[this, grace_ends](const std::stop_token& stop) {
    Wakeup wakeup;
    const std::stop_callback ring{stop, [&] { wakeup.notify(); }};
    const auto left = std::chrono::duration_cast<milliseconds>(grace_ends - Clock::now());
    if (wakeup.wait(left)) return;
    do {
      cancel_late_groups();  // again: a cancel that comes between two statements ends none
    } while (!wakeup.wait(milliseconds{500}));
  }};
  bool joined = true;
  auto left = store::Left::nothing;
  for (const auto& queue : queues_) {
    joined = queue->join() && joined;
    if (queue->left_claims()) left = store::Left::claims;
  }
  maintenance_.stop();
  waker_.stop();
  membership_.stop(left);
  events_.stopped();
  return joined;
}

/// A direct group is short by design; one that is still running when the grace is over waits for a
/// lock.
void Processor::cancel_late_groups() {
  std::vector<int> pids;
  for (const auto& queue : queues_) {
    for (const int pid : queue->direct_backends()) pids.push_back(pid);
  }
  if (pids.empty()) return;
  try {
    store::Database database{options_.database, "stop", store::Use::people};
    for (const int pid : pids) store::cancel_backend(database, pid);
  } catch (const DbError& e) {
    events_.db_error("stop", to_text(e.fault()), e.sqlstate(), e.what());
  }
}

Health Processor::health() const {
  Health out;
  out.uptime = std::chrono::duration_cast<milliseconds>(Clock::now() - started_at_);
  out.heartbeat_age = membership_.heartbeat_age();
  out.processor = membership_.id().value_or(0);
  out.schema = maintenance_.schema_version();
  if (stopping_) {
    out.why_not = "it is stopping";
  } else if (!running_) {
    out.why_not = "it has not started";
  } else if (out.heartbeat_age > 3 * options_.processor.heartbeat + milliseconds{1'000}) {
    out.why_not = "the database has not answered a heartbeat for " +
                  std::to_string(out.heartbeat_age.count()) + " ms";
  } else if (out.processor == 0) {
    out.why_not = "it is not registered: marked dead, or fenced by itself";
  } else {
    out.why_not = maintenance_.schema_problem();
  }
  out.ready = out.why_not.empty();
  return out;
}

}  // namespace outbox::engine
