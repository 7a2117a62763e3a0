// The scenarios by name. Each prepares what it needs, measures, and reports its lines; cleaning up
// is the caller's. Main thread. All throw core::DbError, and core::Error (failed) when a run does
// not end or does not do what it must.
#pragma once

#include <span>
#include <string_view>

#include "bench/settings.hpp"

namespace outbox::bench {

void drain(const Settings& settings, const Report& report);
void effect(const Settings& settings, const Report& report);
void latency(const Settings& settings, const Report& report);
void enqueue(const Settings& settings, const Report& report);
void steady(const Settings& settings, const Report& report);
void backlog(const Settings& settings, const Report& report);
void idle(const Settings& settings, const Report& report);
void http(const Settings& settings, const Report& report);
void http_slow(const Settings& settings, const Report& report);
void exec(const Settings& settings, const Report& report);
/// What the statements alone do, without engine and handlers, on the same two connections.
void floor_of_sql(const Settings& settings, const Report& report);

struct Scenario {
  std::string_view name;
  std::string_view description;
  void (*run)(const Settings&, const Report&);
};
[[nodiscard]] std::span<const Scenario> scenarios();

}  // namespace outbox::bench
