// An HTTP endpoint for tests, on a port of its own, and jobs to send there. Any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/async_handler.hpp"
#include "observe/events.hpp"

namespace outbox::test {

/// A request as it came.
struct Received {
  std::string method;
  std::string target;
  std::multimap<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;
  [[nodiscard]] std::string header(const std::string& name) const;
};

/// A server on 127.0.0.1 that answers with whatever bytes it is told, each connection on a thread
/// of its own.
class Receiver {
 public:
  /// What is written to the connection; empty: it is closed without an answer. "RESET": it is
  /// reset.
  using Answer = std::function<std::string(const Received&)>;
  explicit Receiver(Answer answer);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& target = "/") const;
  [[nodiscard]] std::vector<Received> received() const;
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] int connections() const;
  /// Most requests that were here at the same time.
  [[nodiscard]] int most_at_once() const;

 private:
  void accept_all();
  void serve(int fd);

  Answer answer_;
  int listener_{-1};
  int port_{0};
  mutable std::mutex mutex_;
  std::vector<Received> received_;    // guarded by mutex_
  std::vector<int> open_;             // guarded by mutex_
  std::vector<std::thread> servers_;  // guarded by mutex_
  int connections_{0};                // guarded by mutex_
  int now_{0};                        // guarded by mutex_
  int most_{0};                       // guarded by mutex_
  bool stopped_{false};               // guarded by mutex_
  std::thread acceptor_;
};

/// "HTTP/1.1 200 OK" with a body and more header lines, each with its line end.
[[nodiscard]] std::string http(int status, const std::string& body = "",
                               const std::string& headers = "");

/// Gives jobs to a handler and waits for what comes back.
class Counter {
 public:
  /// Starts a job; its id counts up from 1. Returns its task.
  engine::TaskPtr start(engine::AsyncHandler& handler, const std::string& payload = "{}",
                        const std::string& headers = "{}");
  /// Waits for `count` ends in all; false: they did not come within 20 s.
  [[nodiscard]] bool wait(std::size_t count);
  [[nodiscard]] std::size_t ended() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t next_{1};
  std::size_t ended_{0};
};

/// "done", "snooze", "discard: why", "retry: why", "expired" or "stale".
[[nodiscard]] std::string told(const engine::Task& task);

}  // namespace outbox::test
