// An eventfd that any thread may ring and one thread waits on, pollable together with a socket.
#pragma once

#include <chrono>

namespace outbox::engine {

class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void notify() const;
  /// Waits until notify() was called since the last wait, or something has come in at `socket` (or
  /// its other side is gone), at most `most`. True when one of them was.
  bool wait(std::chrono::milliseconds most, int socket = -1) const;
  /// Readable while a notify() has not been waited for.
  [[nodiscard]] int descriptor() const { return fd_; }
  /// Forgets what was notified.
  void clear() const;

 private:
  int fd_;
};

}  // namespace outbox::engine
