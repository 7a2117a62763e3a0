// The HTTP endpoint with /health, /ready and /metrics, on threads of its own. Shows numbers,
// changes nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/health.hpp"
#include "observe/events.hpp"

namespace outbox::cli {

/// GET /health: 200 as long as the process lives. GET /ready: 200, or 503 and why not. GET
/// /metrics: Prometheus text. Bound to a loopback address it answers only requests whose Host is
/// that address or localhost (421 otherwise), so that no web page can read it through a name of its
/// own. Thread contract: built and destroyed on one thread; `health` is called from others, at any
/// time until the destructor returns.
class AdminServer {
 public:
  /// Listens when it returns; port 0 picks a free one; tells the address as a notice. `events` must
  /// outlive it. Throws core::Error (configuration) that names the address and the reason.
  AdminServer(const std::string& host, int port, std::function<engine::Health()> health,
              observe::Events& events);

  /// Waits for requests that are being answered, a few seconds at most.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  [[nodiscard]] int port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::cli
