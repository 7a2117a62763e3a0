// What the admin endpoint may know of a running processor: a snapshot, safe to ask for from any
// thread.
#pragma once

#include <chrono>
#include <string>

namespace outbox::engine {

struct Health {
  bool ready{};         ///< Database reachable, schema compatible, heartbeat fresh, not stopping.
  std::string why_not;  ///< Empty when ready; else one line for people.
  int processor{};      ///< processors.id; 0 when not registered.
  int schema{};         ///< Version of the database's schema; 0 when unknown.
  std::chrono::milliseconds heartbeat_age{};  ///< Since the last successful heartbeat.
  std::chrono::milliseconds uptime{};
};

}  // namespace outbox::engine
