// The other end of the delivery scenarios: an HTTP endpoint that does as little as possible, in a
// process of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/apart.hpp"

namespace outbox::bench {

/// Thread contract: as Apart.
class Receiver {
 public:
  /// Answers 200 to every request, `delay` after its last byte. Speaks HTTP/1.1 with keep-alive and
  /// Content-Length, one request at a time on a connection. Throws core::Error (failed).
  explicit Receiver(std::chrono::milliseconds delay);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

  struct Counters {
    std::atomic<std::int64_t> connections{0};  ///< That were ever accepted.
    std::atomic<std::int64_t> answered{0};
    std::atomic<std::int64_t> waiting{0};  ///< Requests whose answer is not sent yet.
    std::atomic<std::int64_t> most{0};     ///< Of these, at a time.
  };
  [[nodiscard]] const Counters& counters() const { return *counters_; }
  void forget_most() { counters_->most = 0; }
  [[nodiscard]] double cpu_seconds() const { return process_->cpu_seconds(); }

 private:
  Shared<Counters> counters_;
  std::string url_;
  std::unique_ptr<Apart> process_;
};

}  // namespace outbox::bench
